/**
 * Finds what the patterns of a command mean, as the shell would that clients expect behind an exec request: braces first,
 * then `*`, `?` and `[...]` level by level through `Files`, so that nothing is found that the user may not list. A pattern
 * that nothing matches stands for itself. What is held is bounded; a pattern that finds more is refused as a whole.
 */
import { ScpdError, errorCode, type ErrorCode } from '../errors.ts';
import type { Files, ListingEntry } from '../guard/files.ts';
import { rootPath, virtualPath, type VirtualPath } from '../guard/virtual-path.ts';
import { globBracesMax, globBytesMax, globEntriesMax } from '../limits.ts';
import { encodeName } from '../name-bytes.ts';
import type { CommandPath } from '../protocol/command/parse-command.ts';
import { expandBraces } from '../protocol/glob/braces.ts';
import { componentPattern, hasPattern } from '../protocol/glob/pattern.ts';

const listingEntriesMax = 1024;

/** What keeps a directory from being looked into without being a fault: nothing in it matches. */
const unseen: ReadonlySet<ErrorCode> = new Set([
  'NOT_FOUND',
  'NOT_A_DIRECTORY',
  'PERMISSION_DENIED',
  'HOST_DENIED',
  'TOO_MANY_LINKS',
  'INVALID_NAME',
  'NAME_TOO_LONG',
]);

/** The patterns of one command, which share its limits. */
export class GlobExpansion {
  readonly #files: Files;
  readonly #directory: VirtualPath;
  #entries = 0;
  #bytes = 0;
  #words = 0;

  /** @param directory where relative patterns start */
  constructor(files: Files, directory: VirtualPath = rootPath) {
    this.#files = files;
    this.#directory = directory;
  }

  /** The paths that a word means, at least one. Throws TOO_MANY_MATCHES, or what a fault of the host is. */
  async expand({ text, pattern }: CommandPath): Promise<readonly string[]> {
    const words = expandBraces(pattern, globBracesMax - this.#words);
    if (words === undefined) throw new ScpdError('TOO_MANY_MATCHES', 'braces');
    if (words.length === 1 && !hasPattern(words[0] ?? '')) return [text];
    this.#words += words.length;
    const found: string[] = [];
    for (const word of words) found.push(...(await this.#expandWord(word)));
    return found;
  }

  async #expandWord(word: string): Promise<readonly string[]> {
    const plain = plainText(word);
    if (!hasPattern(word)) return [plain];
    const components = word.split('/');
    let places: readonly string[] = [''];
    for (const [index, component] of components.entries()) {
      const isLast = index === components.length - 1;
      places = await this.#step(places, component, isLast);
      if (places.length === 0) return [plain];
    }
    return places;
  }

  /** The places that are one component further; each ends in a slash unless it is the last. */
  async #step(places: readonly string[], component: string, isLast: boolean): Promise<readonly string[]> {
    const slash = isLast ? '' : '/';
    const wanted = componentPattern(component);
    const found: string[] = [];
    for (const place of places) {
      if (wanted.kind === 'name') {
        const path = `${place}${wanted.name}${slash}`;
        // Only the end must be looked at: a directory that is not there has no entries.
        if (!isLast || (await this.#isThere(path, wanted.name === ''))) found.push(path);
      } else {
        const names = await this.#names(place, { matches: wanted.matches, isLast });
        for (const name of names) found.push(`${place}${name}${slash}`);
      }
    }
    return found;
  }

  /** The names in a directory that match, sorted by their bytes. */
  async #names(
    place: string,
    { matches, isLast }: { readonly matches: (name: string) => boolean; readonly isLast: boolean },
  ): Promise<readonly string[]> {
    const names: string[] = [];
    await this.#orUnseen(async () => {
      const listing = await this.#files.list(this.#path(place));
      try {
        for (;;) {
          const entries = await listing.read(listingEntriesMax);
          if (entries.length === 0) return;
          this.#count(entries.length, 0);
          for (const entry of entries) {
            if (!matches(entry.name) || (!isLast && !mayBeDirectory(entry))) continue;
            this.#count(0, Buffer.byteLength(place) + Buffer.byteLength(entry.name) + 1);
            names.push(entry.name);
          }
        }
      } finally {
        await listing.close();
      }
    });
    return names
      .map((name) => ({ name, bytes: encodeName(name) }))
      .sort((one, other) => Buffer.compare(one.bytes, other.bytes))
      .map(({ name }) => name);
  }

  async #isThere(path: string, mustBeDirectory: boolean): Promise<boolean> {
    let isThere = false;
    await this.#orUnseen(async () => {
      const { kind } = await this.#files.stat(this.#path(path), { follow: mustBeDirectory });
      isThere = !mustBeDirectory || kind === 'directory';
    });
    return isThere;
  }

  #path(text: string): VirtualPath {
    return virtualPath(text.startsWith('/') ? text : `${this.#directory}/${text}`);
  }

  async #orUnseen(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!unseen.has(errorCode(error))) throw error;
    }
  }

  #count(entries: number, bytes: number): void {
    this.#entries += entries;
    this.#bytes += bytes;
    if (this.#entries > globEntriesMax) throw new ScpdError('TOO_MANY_MATCHES', 'entries looked at');
    if (this.#bytes > globBytesMax) throw new ScpdError('TOO_MANY_MATCHES', 'matches');
  }
}

function mayBeDirectory({ attributes }: ListingEntry): boolean {
  return attributes.kind === 'directory' || attributes.kind === 'link';
}

/** A pattern without its backslashes. */
function plainText(pattern: string): string {
  return pattern.replaceAll(/\\(.)/gsu, '$1');
}
