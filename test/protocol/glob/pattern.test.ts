/** Patterns match what a shell's would, and no pattern takes more than its length times the name's. */
import t from 'tap';
import { decodeName } from '../../../src/name-bytes.ts';
import { componentPattern, hasPattern } from '../../../src/protocol/glob/pattern.ts';

/** Pattern, names that match, names that don't. */
const patterns: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['*', ['a', 'abc', ' ', '-x', '日本'], ['.a', '.']],
  ['.*', ['.a', '.', '..a'], ['a']],
  ['*.log', ['a.log', 'a.b.log'], ['.log', 'a.logs', 'log']],
  ['?', ['a', 'ü', '😀', decodeName(Buffer.of(0xff))], ['', 'ab', '.']],
  ['a?c', ['abc', 'a.c'], ['ac', 'abbc']],
  ['a*b*c', ['abc', 'aXbYc', 'abcbc'], ['ab', 'acb']],
  ['[abc]', ['a', 'c'], ['d', 'ab']],
  ['[a-c]x', ['ax', 'bx'], ['dx']],
  ['[!a-c]', ['d', '😀'], ['a', '.']],
  ['[^a-c]', ['d'], ['b']],
  ['[]a]', [']', 'a'], ['b']],
  ['[!]a]', ['b'], [']', 'a']],
  ['[a-]', ['a', '-'], ['b']],
  ['[\\]]', [']'], ['\\']],
  ['[\\a-c]', ['b'], ['d']],
  ['x[[:digit:][:upper:]]', ['x1', 'xA'], ['xa']],
  ['[[:nosuch:]]', [':]', 'n]'], ['x']],
  ['[ä-ü]', ['ö'], ['z']],
  ['\\*?', ['*a'], ['aa']],
  ['?\\', ['a\\'], ['ab']],
  ['?[', ['a['], ['ab']],
  ['[c-a]*', [], ['a', 'b', 'c']],
  ['.[a-z]*', ['.ab'], ['ab', '.']],
  ['[.]a', [], ['.a']],
  ['***a', ['a', 'xa'], ['b']],
  [
    decodeName(Buffer.of(0x2a, 0xff)),
    [decodeName(Buffer.of(0x61, 0xff))],
    [decodeName(Buffer.of(0x61, 0xfe))],
  ],
];

t.test('what matches and what does not', async (t) => {
  for (const [text, yes, no] of patterns) {
    const pattern = componentPattern(text);
    if (pattern.kind !== 'pattern') {
      t.fail(`${text} is a pattern`);
      continue;
    }
    for (const name of yes) t.ok(pattern.matches(name), `${text} matches ${name}`);
    for (const name of no) t.notOk(pattern.matches(name), `${text} does not match ${name}`);
  }
});

t.test('plain names', async (t) => {
  for (const [text, name] of [
    ['abc', 'abc'],
    ['a\\*b', 'a*b'],
    ['a\\\\b', 'a\\b'],
    ['a[b', 'a[b'],
    ['a]b', 'a]b'],
    ['a\\[b\\]', 'a[b]'],
    ['a\\', 'a\\'],
    ['', ''],
    ['..', '..'],
  ] as const) {
    t.same(componentPattern(text), { kind: 'name', name }, text);
    t.notOk(hasPattern(text));
  }
  t.ok(hasPattern('a/b*/c'));
  t.notOk(hasPattern('[a/b]'), 'a bracket ends at the slash');
});

t.test('no pattern is slow', async (t) => {
  const pattern = componentPattern('*a'.repeat(120) + 'b');
  const name = 'a'.repeat(255);
  const startedMs = performance.now();
  t.equal(pattern.kind === 'pattern' && pattern.matches(name), false);
  t.ok(performance.now() - startedMs < 1000, 'a backtracking matcher would take for ever');
});
