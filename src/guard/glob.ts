/**
 * The patterns of rules. A pattern is matched one path component at a time: picomatch judges a name, and "**", which
 * stands for any number of components, is ours. So no wildcard can ever match a slash, it is known what a pattern may
 * match below a directory, and no name that a client makes up can make a pattern slow.
 *
 * Patterns and paths are compared in Unicode's form NFC, because "é" written as one character or as two is one name to
 * whoever writes a rule. Bytes that are no UTF-8 are characters of their own (`name-bytes.ts`) and match "?" and "*" like
 * any other. Case counts, and a leading dot is nothing special.
 */
import picomatch from 'picomatch';
import { globStarsPerNameMax, pathBytesMax, pathDepthMax } from '../limits.ts';
import { componentsOf, type VirtualPath } from './virtual-path.ts';

/** A pattern that can't be used. `message` completes "expected …, got one with". */
export class GlobError extends Error {
  override readonly name = 'GlobError';
}

/** A pattern for one name: `*`, `?`, `[a-z]`, `[!a-z]`, `{a,b}`; a backslash takes a character as it is. */
export interface NamePattern {
  matches(name: string): boolean;
}

/** Throws GlobError. */
export function namePattern(glob: string): NamePattern {
  const text = translate(glob.normalize('NFC'));
  const pattern = picomatch.makeRe(text, {
    debug: true, // throws for what makes no regular expression; without it, that would silently match nothing
    dot: true,
    fastpaths: false,
    flags: 'us', // whole characters, and line feeds are characters too
    literalBrackets: false,
    noextglob: true,
    nonegate: true,
    strictSlashes: true,
    windows: false,
  });
  return { matches: (name) => pattern.test(name.normalize('NFC')) };
}

/** Any number of components, none included. */
const anyDepth = Symbol('**');

/** A pattern for an absolute path, such as `/incoming/**` (which covers `/incoming` itself, too) or `/*.log`. */
export class PathPattern {
  readonly #parts: readonly (NamePattern | typeof anyDepth)[];
  /** The directory of a pattern `DIRECTORY/**` without wildcards in DIRECTORY; '' for a pattern of another form. */
  readonly directory: string;

  /** Throws GlobError. */
  constructor(glob: string) {
    const names = globComponents(glob);
    this.#parts = names.map((name) => (name === '**' ? anyDepth : namePattern(name)));
    const above = names.slice(0, -1);
    const isPlain = names.at(-1) === '**' && !above.some((name) => /[*?[\]{}\\]/.test(name));
    this.directory = isPlain ? `/${above.join('/')}`.normalize('NFC') : '';
  }

  matches(path: VirtualPath): boolean {
    return this.#reached(path).has(this.#parts.length);
  }

  /** Whether something below `directory` may match. */
  mayMatchBelow(directory: VirtualPath): boolean {
    return [...this.#reached(directory)].some((position) => position < this.#parts.length);
  }

  /** Whether everything below `directory` matches. */
  coversBelow(directory: VirtualPath): boolean {
    const last = this.#parts.length - 1;
    return this.#parts[last] === anyDepth && this.#reached(directory).has(last);
  }

  /** How many parts may have been used up when the whole path has been: several, where "**" leaves a choice. */
  #reached(path: VirtualPath): ReadonlySet<number> {
    let positions = this.#withDepths([0]);
    for (const name of componentsOf(path)) {
      const next: number[] = [];
      for (const position of positions) {
        const part = this.#parts[position];
        if (part === anyDepth) next.push(position);
        else if (part?.matches(name) === true) next.push(position + 1);
      }
      positions = this.#withDepths(next);
    }
    return positions;
  }

  /** The positions, and those behind a "**" that stands for nothing. */
  #withDepths(positions: readonly number[]): ReadonlySet<number> {
    const all = new Set(positions);
    for (const position of all) if (this.#parts[position] === anyDepth) all.add(position + 1);
    return all;
  }
}

function globComponents(glob: string): string[] {
  if (!glob.startsWith('/')) throw new GlobError('no "/" at its start');
  if (glob.length > pathBytesMax) throw new GlobError('too many characters');
  if (glob === '/') return [];
  const names = glob.slice(1).split('/');
  if (names.length > pathDepthMax) throw new GlobError('too many directories');
  for (const name of names) {
    if (name === '' || name === '.' || name === '..')
      throw new GlobError('an empty, "." or ".." component, which no path has');
  }
  return names;
}

/** What a regular expression would take for its own, and may be escaped in one. */
const regexCharacters = /[\\^$.*+?()[\]{}|/]/;

/** A name's pattern in the words of picomatch, with everything else that picomatch knows made plain characters. */
function translate(glob: string): string {
  const reader = new GlobReader(Array.from(glob));
  const text = reader.readAll();
  if (text === '') throw new GlobError('nothing in it');
  return text;
}

class GlobReader {
  readonly #characters: readonly string[];
  #next = 0;
  #stars = 0;
  /** Whether we are within "{", and whether there was a comma since. */
  #brace: 'none' | 'open' | 'with-comma' = 'none';

  constructor(characters: readonly string[]) {
    this.#characters = characters;
  }

  readAll(): string {
    let text = '';
    for (let character = this.#take(); character !== undefined; character = this.#take()) {
      text += this.#read(character);
    }
    if (this.#brace !== 'none') throw new GlobError('"{" without "}"');
    return text;
  }

  #take(): string | undefined {
    this.#next += 1;
    return this.#characters[this.#next - 1];
  }

  #read(character: string): string {
    switch (character) {
      case '[':
        return this.#readClass();
      case '{':
        if (this.#brace !== 'none') throw new GlobError('"{" within "{"');
        this.#brace = 'open';
        return '{';
      case '}':
        if (this.#brace !== 'with-comma') throw new GlobError('"}" without "{" and ","');
        this.#brace = 'none';
        return '}';
      case ',':
        if (this.#brace === 'open') this.#brace = 'with-comma';
        return ',';
      case '*':
        return this.#readStar();
      case '?':
        return '?';
      case '\\':
        return plain(this.#take());
      default:
        return plain(character);
    }
  }

  #readStar(): string {
    this.#stars += 1;
    if (this.#characters[this.#next] === '*') throw new GlobError('"**" beside other characters');
    if (this.#stars > globStarsPerNameMax)
      throw new GlobError(`more than ${globStarsPerNameMax} "*" in one name`);
    return '*';
  }

  #readClass(): string {
    const end = this.#characters.indexOf(']', this.#next);
    if (end === -1) throw new GlobError('"[" without "]"');
    const content = this.#characters.slice(this.#next, end);
    this.#next = end + 1;
    return translateClass(content);
  }
}

function plain(character: string | undefined): string {
  if (character === undefined) throw new GlobError('"\\" at its end');
  if (character === '/' || character === '\0') throw new GlobError('a character that no name has');
  if (character === '"') return '["]'; // the one character that picomatch takes for its own and that can't be escaped
  return regexCharacters.test(character) ? `\\${character}` : character;
}

/** `[a-z0-9_]` or `[!a-z]`. */
function translateClass(content: readonly string[]): string {
  const isNegated = content[0] === '!' || content[0] === '^';
  const members = isNegated ? content.slice(1) : content;
  if (members.length === 0) throw new GlobError('"[]" with nothing in it');
  const text = members.join('');
  if (/[[\\^!:/"]/.test(text) || !/^(?:[^-]-[^-]|[^-])*$/u.test(text))
    throw new GlobError('"[…]" with other things than characters and ranges such as a-z');
  for (let index = 1; index < members.length - 1; index += 1) {
    if (members[index] === '-' && (members[index - 1] ?? '') > (members[index + 1] ?? ''))
      throw new GlobError('"[…]" with a range that ends before it begins');
  }
  return isNegated ? `[^${text}]` : `[${text}]`;
}
