/**
 * A configuration file as text, tree and value. The tree knows where each value stands, so that every problem can name
 * line and column; the value is what gets validated. Objects in the value have no prototype: a key such as
 * `__proto__` is a key like any other.
 */
import { createHash } from 'node:crypto';
import { parseTree, printParseErrorCode, type Node, type ParseError } from 'jsonc-parser';
import { printable } from '../name-bytes.ts';

/** Keys and list positions from the top to a value. */
export type KeyPath = readonly (string | number)[];

/** What is wrong, and where. `offset` counts UTF-16 units from the start of the text. */
export interface Problem {
  readonly offset: number;
  readonly path: KeyPath;
  readonly message: string;
}

const gotLengthMax = 60;

/** Syntax errors by the names of jsonc-parser, in words. */
const syntaxWords: Readonly<Record<string, string>> = {
  InvalidSymbol: 'a key or a text in double quotes, a number, true, false or null',
  InvalidNumberFormat: 'a number',
  PropertyNameExpected: 'a key in double quotes',
  ValueExpected: 'a value',
  ColonExpected: '":" between key and value',
  CommaExpected: 'a comma',
  CloseBraceExpected: '"}"',
  CloseBracketExpected: '"]"',
  EndOfFileExpected: 'nothing after the end of the configuration',
  InvalidCommentToken: 'a comment that starts with // or /*',
  UnexpectedEndOfComment: 'a comment that ends with */',
  UnexpectedEndOfString: 'a text that ends with a double quote on its own line',
  UnexpectedEndOfNumber: 'a digit',
  InvalidUnicode: 'four hexadecimal digits after \\u',
  InvalidEscapeCharacter: 'an escape such as \\" or \\\\',
  InvalidCharacter: 'a text without control characters',
};

/** After these the parser may have lost its place, and what it read further on is not worth judging. */
const losesPlace: ReadonlySet<string> = new Set([
  'PropertyNameExpected',
  'ColonExpected',
  'CloseBraceExpected',
  'CloseBracketExpected',
  'UnexpectedEndOfComment',
  'UnexpectedEndOfString',
]);

export class ConfigDocument {
  /** Plain data without prototypes; undefined if nothing could be read. Of a key that is there twice, the last. */
  readonly value: unknown;
  /** Syntax errors and duplicate keys. */
  readonly problems: readonly Problem[];
  /** Hex SHA-256 of the file. */
  readonly sha256: string;
  readonly #text: string;
  readonly #root: Node | undefined;
  readonly #lineOffsets: readonly number[];
  readonly #syntaxErrors: readonly ParseError[];
  readonly #trustedEnd: number;

  /** @param text of the file, with or without byte-order mark; a column never counts it. */
  constructor(text: string) {
    this.sha256 = createHash('sha256').update(text).digest('hex');
    this.#text = text.replace(/^\ufeff/, '');
    this.#lineOffsets = lineOffsets(this.#text);
    const errors: ParseError[] = [];
    this.#root = parseTree(this.#text, errors, { allowTrailingComma: true });
    this.#syntaxErrors = errors;
    const lost = errors.find(({ error }) => losesPlace.has(printParseErrorCode(error)));
    this.#trustedEnd = lost?.offset ?? Infinity;
    this.value = this.#root === undefined ? undefined : plainValue(this.#root);
    this.problems = [
      ...this.#syntaxProblems(),
      ...duplicates(this.#root, [], (offset) => this.position(offset)),
    ];
  }

  /** `14:7`, both from 1; columns count UTF-16 units, as editors do. */
  position(offset: number): string {
    let line = this.#lineOffsets.findLastIndex((start) => start <= offset);
    line = Math.max(line, 0);
    return `${line + 1}:${offset - (this.#lineOffsets[line] ?? 0) + 1}`;
  }

  /** The path of a JSON pointer (RFC 6901) into the value: list positions become numbers. */
  pathOf(pointer: string): KeyPath {
    const path: (string | number)[] = [];
    for (const segment of pointer.split('/').slice(1)) {
      const key = segment.replaceAll('~1', '/').replaceAll('~0', '~');
      path.push(this.#node(path)?.type === 'array' ? Number(key) : key);
    }
    return path;
  }

  /** Whether there is a value at `path`. */
  has(path: KeyPath): boolean {
    return this.#node(path) !== undefined;
  }

  /** Where the value at `path` starts; if there is none, where what would hold it does. */
  offsetOf(path: KeyPath): number {
    const node = this.#node(path);
    if (node !== undefined) return node.offset;
    return path.length === 0 ? 0 : this.offsetOf(path.slice(0, -1));
  }

  /** Where the key at the end of `path` starts. */
  keyOffsetOf(path: KeyPath): number {
    return this.#node(path)?.parent?.children?.[0]?.offset ?? this.offsetOf(path);
  }

  /** What stands at `path`, as it is written, in one short printable piece. */
  got(path: KeyPath): string {
    const node = this.#node(path);
    if (node === undefined) return 'nothing';
    if (node.type === 'object') return 'an object';
    if (node.type === 'array') return node.children?.length === 0 ? 'an empty list' : 'a list';
    return printable(this.#text.slice(node.offset, node.offset + node.length), gotLengthMax);
  }

  /** Whether what was read at `path` is what was meant, as far as syntax errors allow to tell. */
  isTrusted(path: KeyPath): boolean {
    const node = this.#node(path);
    return node !== undefined && node.offset + node.length <= this.#trustedEnd;
  }

  /** Whether all keys of the object at `path` were read: no syntax error lies in it. */
  isComplete(path: KeyPath): boolean {
    const node = this.#node(path);
    if (node === undefined) return false;
    const end = node.offset + node.length;
    return this.#syntaxErrors.every(({ offset }) => offset < node.offset || offset > end);
  }

  #node(path: KeyPath): Node | undefined {
    let node = this.#root;
    for (const segment of path) {
      node =
        typeof segment === 'number'
          ? node?.children?.[segment]
          : node?.children?.findLast(({ children }) => children?.[0]?.value === segment)?.children?.[1];
    }
    return node;
  }

  /** One a line: what follows on the same line mostly follows from the first. */
  #syntaxProblems(): Problem[] {
    const seenLines = new Set<string | undefined>();
    const problems: Problem[] = [];
    for (const { error, offset, length } of this.#syntaxErrors) {
      const line = this.position(offset).split(':')[0];
      if (seenLines.has(line)) continue;
      seenLines.add(line);
      const words = syntaxWords[printParseErrorCode(error)] ?? 'JSON';
      const found = this.#text.slice(offset, offset + length);
      const got = found === '' ? 'the end of the file' : printable(found, gotLengthMax);
      problems.push({ offset, path: ['syntax'], message: `expected ${words}, got ${got}` });
    }
    return problems;
  }
}

/** `users.alice.root`, `listen[0]`, `users["b.c"]`: printable, and no two paths alike. */
export function shownPath(path: KeyPath): string {
  let shown = '';
  for (const segment of path) {
    if (typeof segment === 'number') shown += `[${segment}]`;
    else if (/^[A-Za-z_$][\w$-]*$/.test(segment)) shown += shown === '' ? segment : `.${segment}`;
    else shown += `[${quoted(segment)}]`;
  }
  return shown === '' ? 'configuration' : shown;
}

function lineOffsets(text: string): number[] {
  return [0, ...Array.from(text.matchAll(/\r\n|\n|\r/g), (match) => match.index + match[0].length)];
}

function plainValue(node: Node): unknown {
  if (node.type === 'array') return (node.children ?? []).map(plainValue);
  if (node.type !== 'object') return node.value;
  const object = Object.create(null) as Record<string, unknown>;
  for (const property of node.children ?? []) {
    const [key, value] = property.children ?? [];
    if (key !== undefined && value !== undefined) object[String(key.value)] = plainValue(value);
  }
  return object;
}

function* duplicates(
  node: Node | undefined,
  path: KeyPath,
  position: (offset: number) => string,
): Iterable<Problem> {
  if (node?.type === 'array') {
    for (const [index, child] of (node.children ?? []).entries())
      yield* duplicates(child, [...path, index], position);
  }
  if (node?.type !== 'object') return;
  const firstKeys = new Map<string, Node>();
  for (const property of node.children ?? []) {
    const [key, value] = property.children ?? [];
    if (key === undefined) continue;
    const name = String(key.value);
    const first = firstKeys.get(name);
    if (first === undefined) firstKeys.set(name, key);
    else yield { offset: key.offset, path: [...path, name], message: repeated(name, position(first.offset)) };
    yield* duplicates(value, [...path, name], position);
  }
}

function repeated(name: string, firstPosition: string): string {
  return `expected each key once, got ${quoted(name)} again; the first is at ${firstPosition}`;
}

/** A key or text in double quotes, printable and shortened. */
export function quoted(text: string): string {
  return printable(JSON.stringify(text), gotLengthMax);
}
