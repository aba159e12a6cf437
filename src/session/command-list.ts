/** ls: listings as GNU's prints them to a pipe. pscp, duplicity and WinSCP ask for them. */
import { ScpdError } from '../errors.ts';
import type { Attributes } from '../guard/files.ts';
import { childPath, parentPath, type VirtualPath } from '../guard/virtual-path.ts';
import { listingLine, type ListingStyle } from '../protocol/command/listing-line.ts';
import {
  operandTexts,
  pathIn,
  readParameters,
  tryEach,
  type CommandContext,
  type RunCommand,
} from './command.ts';
import { attempt } from './scp-attempt.ts';
import { SortedListing } from './scp-listing.ts';

/** As GNU's: 0 all is well, 2 something that was named can't be listed. */
export const ls: RunCommand = async (context, words) => {
  const known = ['1', 'a', 'A', 'd', 'l', 'full-time', 'all', 'almost-all', 'directory'];
  const parameters = await readParameters(context, words, { name: 'ls', known });
  if (parameters === undefined) return 2;
  const texts = await operandTexts(context, 'ls', parameters.operands);
  if (texts === undefined) return 2;
  const has = (...names: readonly string[]): boolean => names.some((name) => parameters.flags.has(name));
  const style = {
    isLong: has('l', 'full-time'),
    fullTime: has('full-time'),
    shows: has('a', 'all') ? 'all' : has('A', 'almost-all') ? 'hidden' : 'visible',
  } as const;
  return await new Lister(context, style).list(texts.length === 0 ? ['.'] : texts, has('d', 'directory'));
};

interface Style {
  readonly isLong: boolean;
  readonly fullTime: boolean;
  /** Names that begin with a dot are hidden; `all` are the directory and its parent, too. */
  readonly shows: 'visible' | 'hidden' | 'all';
}

interface Named {
  readonly text: string;
  readonly path: VirtualPath;
  readonly attributes: Attributes;
}

class Lister {
  readonly #context: CommandContext;
  readonly #style: Style;

  constructor(context: CommandContext, style: Style) {
    this.#context = context;
    this.#style = style;
  }

  async list(texts: readonly string[], itself: boolean): Promise<number> {
    const [directories, others]: [Named[], Named[]] = [[], []];
    let status = 0;
    for (const text of texts) {
      const done = await tryEach(this.#context, `ls: cannot access '${text}'`, async () => {
        const named = await this.#look(text, itself);
        (named.attributes.kind === 'directory' && !itself ? directories : others).push(named);
      });
      if (!done) status = 2;
    }
    const width = widthOf(others.map(({ attributes }) => attributes.sizeBytes));
    for (const { text, path, attributes } of others) await this.#show({ text, path, attributes }, width);
    for (const [index, directory] of directories.entries()) {
      if (texts.length > 1) {
        await this.#print(`${index + others.length === 0 ? '' : '\n'}${shownName(directory.text)}:`);
      }
      const done = await tryEach(this.#context, `ls: cannot open directory '${directory.text}'`, () =>
        this.#listDirectory(directory),
      );
      if (!done) status = 2;
    }
    return status;
  }

  /** A link that was named stands for itself in a long listing, and for what it leads to in a short one. */
  async #look(text: string, itself: boolean): Promise<Named> {
    const path = pathIn(this.#context.directory, text);
    const follow = text.endsWith('/') || !(this.#style.isLong || itself);
    const attributes = await this.#context.files.stat(path, { follow });
    if (text.endsWith('/') && attributes.kind !== 'directory') throw new ScpdError('NOT_A_DIRECTORY');
    return { text, path, attributes };
  }

  async #listDirectory({ path, attributes }: Named): Promise<void> {
    // Read twice: the first line has the sum of all sizes, and no directory is too large to be listed.
    const { width, blocks } = this.#style.isLong ? await this.#measure(path) : { width: 0, blocks: 0 };
    const listing = new SortedListing(await this.#context.files.list(path));
    try {
      if (this.#style.isLong) await this.#print(`total ${blocks}`);
      if (this.#style.shows === 'all') {
        const parent = parentPath(path);
        const above = await attempt(this.#context.options, () =>
          this.#context.files.stat(parent, { follow: true }),
        );
        await this.#show({ text: '.', path, attributes }, width);
        await this.#show(
          { text: '..', path: parent, attributes: above.ok ? above.value : attributes },
          width,
        );
      }
      for (let entry = await listing.next(); entry !== undefined; entry = await listing.next()) {
        if (!this.#isShown(entry.name)) continue;
        const named = { text: entry.name, path: childPath(path, entry.name), attributes: entry.attributes };
        await this.#show(named, width);
      }
    } finally {
      await listing.close();
    }
  }

  async #measure(path: VirtualPath): Promise<{ readonly width: number; readonly blocks: number }> {
    const listing = new SortedListing(await this.#context.files.list(path));
    let [width, blocks] = [1, 0];
    try {
      for (let entry = await listing.next(); entry !== undefined; entry = await listing.next()) {
        if (!this.#isShown(entry.name)) continue;
        width = Math.max(width, widthOf([entry.attributes.sizeBytes]));
        blocks += Math.ceil(entry.attributes.sizeBytes / 1024);
      }
    } finally {
      await listing.close();
    }
    return { width, blocks };
  }

  #isShown(name: string): boolean {
    return this.#style.shows !== 'visible' || !name.startsWith('.');
  }

  async #show({ text, path, attributes }: Named, sizeWidth: number): Promise<void> {
    if (!this.#style.isLong) return await this.#print(shownName(text));
    const style: ListingStyle = {
      fullTime: this.#style.fullTime,
      nowSeconds: Date.now() / 1000,
      sizeWidth,
    };
    const target = attributes.kind === 'link' ? await this.#target(path) : undefined;
    const facts = { ...attributes, owner: this.#context.userName, name: shownName(text) };
    const line = listingLine(target === undefined ? facts : { ...facts, target: shownName(target) }, style);
    await this.#print(line);
  }

  async #target(path: VirtualPath): Promise<string | undefined> {
    const read = await attempt(this.#context.options, () => this.#context.files.readLink(path));
    return read.ok ? read.value : undefined;
  }

  async #print(line: string): Promise<void> {
    await this.#context.output.print(`${line}\n`);
  }
}

function widthOf(sizes: readonly number[]): number {
  return sizes.reduce((width, size) => Math.max(width, String(size).length), 1);
}

/** One name is one line, and steers no terminal. */
function shownName(name: string): string {
  return name.replaceAll(/\p{Cc}/gu, '?');
}
