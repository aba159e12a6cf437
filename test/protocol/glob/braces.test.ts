/** Braces become words as bash makes them, and never more words than are allowed. */
import t from 'tap';
import { expandBraces } from '../../../src/protocol/glob/braces.ts';

/** Each as `bash -c 'echo …'` prints it. */
const expansions: readonly (readonly [string, readonly string[]])[] = [
  ['plain', ['plain']],
  ['', ['']],
  ['{a,b}', ['a', 'b']],
  ['x{a,b}y', ['xay', 'xby']],
  ['{a,b}{c,d}', ['ac', 'ad', 'bc', 'bd']],
  ['{a,{b,c}d}e', ['ae', 'bde', 'cde']],
  ['{,a}', ['', 'a']],
  ['a{b,}c', ['abc', 'ac']],
  ['{}', ['{}']],
  ['{a}', ['{a}']],
  ['{a', ['{a']],
  ['a}', ['a}']],
  ['{a,b', ['{a,b']],
  ['{{a,b}', ['{a', '{b']],
  ['{a,b}}', ['a}', 'b}']],
  ['\\{a,b}', ['\\{a,b}']],
  ['{a\\,b}', ['{a\\,b}']],
  ['{a,b\\}', ['{a,b\\}']],
  ['{a\\,b,c}', ['a\\,b', 'c']],
  ['{1..3}', ['{1..3}']],
];

t.test('as bash does it', async (t) => {
  for (const [pattern, words] of expansions) {
    t.same(expandBraces(pattern, 100), words, pattern);
  }
});

t.test('no more words than allowed, and none of the work for more', async (t) => {
  t.equal(expandBraces('{a,b}{c,d}', 3), undefined);
  t.same(expandBraces('{a,b}{c,d}', 4)?.length, 4);
  t.equal(expandBraces('{a,b}'.repeat(40), 1024), undefined);
  t.equal(expandBraces('{a,b}'.repeat(5000), 1024), undefined);
  t.same(expandBraces('{'.repeat(30_000), 1024), ['{'.repeat(30_000)]);
  t.equal(expandBraces(`{${'a,'.repeat(2000)}}`, 1024), undefined);
  t.equal(expandBraces('{a,'.repeat(1000) + '}'.repeat(1000), 1024)?.length, 1001);
});
