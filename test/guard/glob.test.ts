/**
 * Goal: a pattern matches exactly what its description says, whatever a client puts into a name. A seeded test compares
 * picomatch, as we use it, with a small matcher that is written straight from the description.
 */
import t from 'tap';
import { GlobError, namePattern, PathPattern } from '../../src/guard/glob.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { decodeName } from '../../src/name-bytes.ts';
import { Chance } from '../support/chance.ts';

const invalid = decodeName(Buffer.from([0x66, 0xff, 0xc0, 0xaf]));

/** A test's name in ASCII: TAP is read line by line, and other things than line feeds may end a line. */
function shown(value: unknown): string {
  const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value).replaceAll(/[^ -~]/g, escape);
}

t.test('names', async (t) => {
  const rows: readonly (readonly [glob: string, names: readonly string[], others: readonly string[]])[] = [
    ['*', ['a', '.hidden', 'a b', '\n', 'a\nb', '\u2028', invalid, '\u{1f600}', '(x)'], []],
    ['*.gpg', ['a.gpg', '.gpg', '\n.gpg', `${invalid}.gpg`], ['a.gpg2', 'a.GPG', 'agpg', 'a.gpg\n']],
    ['?', ['a', '\n', '\u{1f600}', decodeName(Buffer.of(0xff))], ['', 'ab']],
    ['[a-c]x', ['ax', 'bx'], ['dx', '[a-c]x', 'x']],
    ['[!a-c]x', ['dx', '\nx', '!x', '^x'], ['ax']],
    ['{a,b*}.{gz,xz}', ['a.gz', 'b.xz', 'bbb.gz'], ['c.gz', 'a.zip', '{a,b*}.{gz,xz}', 'a.gzx']],
    ['{,.}x', ['x', '.x'], ['..x']],
    ['\\*', ['*'], ['a']],
    ['\\[a]', ['[a]'], ['a']],
    ['a,b', ['a,b'], ['a', 'b']],
    ['!a', ['!a'], ['b']],
    ['+(a)@(b)|^$"~', ['+(a)@(b)|^$"~'], ['aabb', 'a']],
    ['.*', ['.a', '.scpd'], ['a.']],
    ['caf\u00e9', ['caf\u00e9', 'cafe\u0301'], ['cafe', 'CAF\u00c9']],
    ['cafe\u0301', ['caf\u00e9', 'cafe\u0301'], ['cafe']],
    ['\u212b', ['\u00c5', 'A\u030a', '\u212b'], ['A']],
  ];
  for (const [glob, names, others] of rows) {
    const pattern = namePattern(glob);
    for (const name of names) t.equal(pattern.matches(name), true, shown([glob, name]));
    for (const name of others) t.equal(pattern.matches(name), false, shown([glob, name]));
  }
});

t.test('paths', async (t) => {
  const rows: readonly (readonly [glob: string, paths: readonly string[], others: readonly string[]])[] = [
    ['/**', ['/', '/a', '/a/b/c', '/.a'], []],
    ['/', ['/'], ['/a']],
    ['/box/**', ['/box', '/box/a', '/box/a/b', '/box/.a'], ['/', '/boxa', '/Box', '/a/box']],
    ['/box/*', ['/box/a', '/box/.a'], ['/box', '/box/a/b']],
    ['/*/x', ['/a/x'], ['/x', '/a/b/x']],
    ['/**/x', ['/x', '/a/x', '/a/b/x', '/x/x'], ['/', '/x/a', '/ax']],
    ['/a/**/b/**', ['/a/b', '/a/x/b', '/a/x/b/y', '/a/b/b'], ['/a', '/a/x', '/b']],
    ['/**/**', ['/', '/a/b'], []],
  ];
  for (const [glob, paths, others] of rows) {
    const pattern = new PathPattern(glob);
    for (const path of paths) t.equal(pattern.matches(virtualPath(path)), true, `${glob} ${path}`);
    for (const path of others) t.equal(pattern.matches(virtualPath(path)), false, `${glob} ${path}`);
  }
});

t.test('what a pattern may match below a directory', async (t) => {
  const rows: readonly (readonly [glob: string, directory: string, may: boolean, covers: boolean])[] = [
    ['/**', '/', true, true],
    ['/**', '/a/b', true, true],
    ['/a/**', '/', true, false],
    ['/a/**', '/a', true, true],
    ['/a/**', '/a/b', true, true],
    ['/a/**', '/b', false, false],
    ['/a/*', '/a', true, false],
    ['/a/*', '/a/b', false, false],
    ['/a', '/a', false, false],
    ['/**/*.key', '/a', true, false],
    ['/*/x/**', '/a', true, false],
    ['/*/x/**', '/a/y', false, false],
    ['/*/x/**', '/a/x/y', true, true],
  ];
  for (const [glob, directory, may, covers] of rows) {
    const pattern = new PathPattern(glob);
    t.equal(pattern.mayMatchBelow(virtualPath(directory)), may, `${glob} may match below ${directory}`);
    t.equal(pattern.coversBelow(virtualPath(directory)), covers, `${glob} covers ${directory}`);
  }
});

t.test('patterns that mean nothing are refused, not taken for something', async (t) => {
  const names = [
    '',
    '**',
    'a**',
    '[',
    '[]',
    '[!]',
    '[b-a]',
    '[a-',
    '[[:alpha:]]',
    '{a',
    '{a}',
    'a}',
    '{a,{b,c}}',
  ];
  for (const glob of [...names, '\\', 'a\\', '****', '*a*b*c*', '{*,*}{*,*}', 'a\0']) {
    t.throws(() => namePattern(glob), GlobError, shown(glob));
  }
  for (const glob of [
    '',
    'a',
    '*',
    'a/b',
    '//',
    '/a/',
    '/a//b',
    '/./a',
    '/a/..',
    '/a**',
    '/**a/b',
    `/${'a/'.repeat(300)}a`,
  ]) {
    t.throws(() => new PathPattern(glob), GlobError, shown(glob));
  }
});

t.test('hostile names cost little', async (t) => {
  const pattern = namePattern('*a*a*{a,b}');
  const started = process.cpuUsage();
  for (let round = 0; round < 20; round += 1) pattern.matches(`${'a'.repeat(254)}c`);
  t.ok(process.cpuUsage(started).user < 10_000_000, 'some milliseconds each');
  const deep = new PathPattern('/**/a/**/a/**/a/**/b');
  t.equal(deep.matches(virtualPath('a/'.repeat(256))), false);
});

type Piece =
  | { readonly text: string }
  | { readonly any: 'one' | 'some' }
  | { readonly of: string; readonly not: boolean };

/** The description of patterns, word for word. */
function matchesPieces(pieces: readonly Piece[], name: readonly string[]): boolean {
  const [piece, ...rest] = pieces;
  if (piece === undefined) return name.length === 0;
  const [first, ...others] = name;
  if ('any' in piece && piece.any === 'some') {
    return matchesPieces(rest, name) || (first !== undefined && matchesPieces(pieces, others));
  }
  if (first === undefined) return false;
  if ('any' in piece) return matchesPieces(rest, others);
  if ('of' in piece) return piece.of.includes(first) !== piece.not && matchesPieces(rest, others);
  return piece.text === first && matchesPieces(rest, others);
}

t.test('picomatch says what the description says', async (t) => {
  const chance = new Chance(20_261);
  const letters = [
    'a',
    'b',
    '.',
    '\n',
    '(',
    '+',
    '|',
    '"',
    '!',
    '@',
    ',',
    '\u{1f600}',
    '\udcff',
    '^',
    '$',
    ']',
    '-',
    ' ',
  ];
  const plain = (text: string): string => (/[*?[\]{}\\]/.test(text) ? `\\${text}` : text);
  for (let round = 0; round < 5000; round += 1) {
    const pieces: Piece[] = [];
    let glob = '';
    for (let count = 1 + chance.below(4); count > 0; count -= 1) {
      const kind = chance.below(5);
      if (kind === 0 && !glob.endsWith('*') && glob.split('*').length <= 3) {
        pieces.push({ any: 'some' });
        glob += '*';
      } else if (kind === 1) {
        pieces.push({ any: 'one' });
        glob += '?';
      } else if (kind === 2) {
        const not = chance.below(2) === 0;
        pieces.push({ of: 'ab.', not });
        glob += not ? '[!ab.]' : '[ab.]';
      } else {
        const text = chance.pick(letters);
        pieces.push({ text });
        glob += plain(text);
      }
    }
    const name = Array.from({ length: 1 + chance.below(4) }, () => chance.pick(letters));
    if (glob.includes('**') || ['.', '..'].includes(name.join(''))) continue; // no path has these
    const expected = matchesPieces(pieces, name);
    if (namePattern(glob).matches(name.join('')) !== expected) {
      t.equal(!expected, expected, shown([glob, name.join('')]));
      return;
    }
  }
  t.pass('5000 patterns');
});
