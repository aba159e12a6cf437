/**
 * Patterns for one name, as in POSIX.1-2024, Shell Command Language, section 2.14: `*`, `?`, `[a-z]`, `[!a]` (and `[^a]`,
 * as bash and fnmatch(3) have it), `[[:digit:]]`, and a backslash that makes the next character literal. A dot at the
 * beginning of a name is matched by a dot only. Matching takes at most pattern times name steps, whatever the pattern.
 */

/** What one component of a pattern is: a plain name, or a test of names. */
export type ComponentPattern =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'pattern'; readonly matches: (name: string) => boolean };

/** Reads one component. Never throws: what is no pattern stands for itself. */
export function componentPattern(text: string): ComponentPattern {
  const tokens = tokensOf(Array.from(text));
  const isName = (token: Token): token is Extract<Token, { kind: 'character' }> => token.kind === 'character';
  if (tokens.every(isName)) return { kind: 'name', name: tokens.map(({ character }) => character).join('') };
  const first = tokens[0];
  const wantsDot = first?.kind === 'character' && first.character === '.';
  return {
    kind: 'pattern',
    matches: (name) => (wantsDot || !name.startsWith('.')) && matchesAll(tokens, Array.from(name)),
  };
}

/** Whether a word has anything that could match other names than its own. */
export function hasPattern(text: string): boolean {
  return text.split('/').some((component) => componentPattern(component).kind === 'pattern');
}

type Token =
  | { readonly kind: 'character'; readonly character: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'one'; readonly matches: (character: string) => boolean };

function tokensOf(characters: readonly string[]): readonly Token[] {
  const tokens: Token[] = [];
  for (let index = 0; index < characters.length;) {
    const { token, nextIndex } = readToken(characters, index);
    // Two stars mean the same as one, and cost more.
    if (token.kind !== 'any' || tokens.at(-1)?.kind !== 'any') tokens.push(token);
    index = nextIndex;
  }
  return tokens;
}

interface Read<T> {
  readonly token: T;
  readonly nextIndex: number;
}

function readToken(characters: readonly string[], index: number): Read<Token> {
  const character = characters[index] ?? '';
  if (character === '*') return { token: { kind: 'any' }, nextIndex: index + 1 };
  if (character === '?') return { token: { kind: 'one', matches: () => true }, nextIndex: index + 1 };
  if (character === '[') {
    const set = readSet(characters, index + 1);
    if (set !== undefined) return set;
  }
  const isEscape = character === '\\' && index + 1 < characters.length;
  const literal = isEscape ? (characters[index + 1] ?? '') : character;
  return { token: { kind: 'character', character: literal }, nextIndex: index + (isEscape ? 2 : 1) };
}

/** A bracket expression from behind its bracket; undefined if it has no end. */
function readSet(characters: readonly string[], start: number): Read<Token> | undefined {
  const isNegated = characters[start] === '!' || characters[start] === '^';
  const begin = start + (isNegated ? 1 : 0);
  const members: ((character: string) => boolean)[] = [];
  for (let index = begin; index < characters.length;) {
    if (characters[index] === ']' && index > begin) {
      const matches = (character: string): boolean => members.some((has) => has(character)) !== isNegated;
      return { token: { kind: 'one', matches }, nextIndex: index + 1 };
    }
    const { token, nextIndex } = readClass(characters, index) ?? readRange(characters, index);
    members.push(token);
    index = nextIndex;
  }
  return undefined;
}

type Member = (character: string) => boolean;

const classes: ReadonlyMap<string, RegExp> = new Map([
  ['alnum', /^[\p{L}\p{Nd}]$/u],
  ['alpha', /^\p{L}$/u],
  ['blank', /^[ \t]$/],
  ['cntrl', /^\p{Cc}$/u],
  ['digit', /^[0-9]$/],
  ['graph', /^[^\p{C}\p{Z}]$/u],
  ['lower', /^\p{Ll}$/u],
  ['print', /^[^\p{C}]$/u],
  ['punct', /^[\p{P}\p{S}]$/u],
  ['space', /^\s$/],
  ['upper', /^\p{Lu}$/u],
  ['xdigit', /^[0-9A-Fa-f]$/],
]);

/** `[:name:]` */
function readClass(characters: readonly string[], index: number): Read<Member> | undefined {
  if (characters[index] !== '[' || characters[index + 1] !== ':') return undefined;
  const text = characters.slice(index, index + 12).join('');
  const [all = '', name = ''] = /^\[:([a-z]+):\]/.exec(text) ?? [];
  const expression = classes.get(name);
  if (expression === undefined) return undefined;
  return { token: (character) => expression.test(character), nextIndex: index + all.length };
}

/** `a` or `a-z`, by code point. */
function readRange(characters: readonly string[], index: number): Read<Member> {
  const first = readMember(characters, index);
  const dash = first.nextIndex;
  const isRange = characters[dash] === '-' && dash + 1 < characters.length && characters[dash + 1] !== ']';
  if (!isRange) return { token: (character) => character === first.token, nextIndex: dash };
  const last = readMember(characters, dash + 1);
  const [low, high] = [codePoint(first.token), codePoint(last.token)];
  const token: Member = (character) => low <= codePoint(character) && codePoint(character) <= high;
  return { token, nextIndex: last.nextIndex };
}

function readMember(characters: readonly string[], index: number): Read<string> {
  const isEscape = characters[index] === '\\' && index + 1 < characters.length;
  return { token: characters[isEscape ? index + 1 : index] ?? '', nextIndex: index + (isEscape ? 2 : 1) };
}

function codePoint(character: string): number {
  return character.codePointAt(0) ?? 0;
}

/** After a mismatch the last star takes one character more; earlier stars need never be tried again. */
function matchesAll(tokens: readonly Token[], name: readonly string[]): boolean {
  let [at, index] = [0, 0];
  let star: { readonly at: number; index: number } | undefined;
  while (index < name.length) {
    const token = tokens[at];
    if (token?.kind === 'any') {
      star = { at, index };
      at += 1;
    } else if (token !== undefined && matchesOne(token, name[index] ?? '')) {
      at += 1;
      index += 1;
    } else if (star !== undefined) {
      star.index += 1;
      [at, index] = [star.at + 1, star.index];
    } else {
      return false;
    }
  }
  return tokens.slice(at).every((token) => token.kind === 'any');
}

function matchesOne(token: Exclude<Token, { kind: 'any' }>, character: string): boolean {
  return token.kind === 'character' ? token.character === character : token.matches(character);
}
