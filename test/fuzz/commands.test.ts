/** Generated commands and patterns: nothing throws, what was quoted comes back byte for byte, and matching is what it says. */
import t from 'tap';
import { encodeName } from '../../src/name-bytes.ts';
import { parseCommand } from '../../src/protocol/command/parse-command.ts';
import { commandSequence } from '../../src/protocol/command/sequence.ts';
import { shellWords } from '../../src/protocol/command/shell-words.ts';
import { expandBraces } from '../../src/protocol/glob/braces.ts';
import { componentPattern } from '../../src/protocol/glob/pattern.ts';
import { Chance } from '../support/chance.ts';
import { fuzzInputs, fuzzSeed } from '../support/fuzz.ts';

const pieces = [
  'scp',
  '-t',
  '-f',
  '-r',
  '--',
  'md5sum',
  'echo',
  'ls',
  'sftp-server',
  'exec',
  'a',
  '~',
  '~u',
  '/',
  '*',
];
const signs = [
  ' ',
  ' ',
  '\t',
  "'",
  '"',
  '\\',
  '$',
  '`',
  ';',
  '{',
  '}',
  ',',
  '[',
  ']',
  '!',
  '\n',
  '\xff',
  '\xc3',
  '\0',
];

function seeds(count: number): Iterable<number> {
  return {
    *[Symbol.iterator]() {
      for (let seed = fuzzSeed(); seed < fuzzSeed() + count; seed += 1) yield seed;
    },
  };
}

t.test('any bytes are a command, or are refused', async (t) => {
  const kinds = new Set<string>();
  for (const seed of seeds(fuzzInputs(5000))) {
    const chance = new Chance(seed);
    const text = Array.from({ length: chance.below(14) }, () =>
      chance.pick(chance.below(2) === 0 ? pieces : signs),
    );
    const bytes = Buffer.from((chance.below(2) === 0 ? 'scp -f ' : '') + text.join(''), 'latin1');
    const command = parseCommand(bytes, { userName: 'u', unquotedSpaces: chance.pick(['refuse', 'join']) });
    kinds.add(command.kind);
    if (command.kind === 'scp-source' && command.sources.some((source) => source.text.includes('\0')))
      t.fail(`${seed}`);
    const parts = commandSequence(bytes);
    if (Buffer.concat(parts).length + parts.length - 1 !== bytes.length) t.fail(`a byte was lost: ${seed}`);
    for (const part of parts) shellWords(part, { variable: () => 'v' });
  }
  t.ok(kinds.size >= 4, [...kinds].join(' '));
});

t.test('what was quoted comes back byte for byte', async (t) => {
  for (const seed of seeds(fuzzInputs(5000))) {
    const chance = new Chance(seed);
    const words = Array.from({ length: 1 + chance.below(4) }, () =>
      Buffer.from(Array.from({ length: chance.below(12) }, () => 1 + chance.below(255))),
    );
    const quoted = words.map((word) => quote(word, chance));
    const split = shellWords(Buffer.from(quoted.join(' '), 'latin1'));
    if (split.kind === 'refused') {
      t.fail(`seed ${seed}: ${split.reason}`);
      continue;
    }
    const back = split.words.map(({ text }) => encodeName(text).toString('latin1'));
    if (back.join('\0') !== words.map((word) => word.toString('latin1')).join('\0')) t.fail(`seed ${seed}`);
    for (const { text, pattern } of split.words) {
      // A quoted word is no pattern: it means itself, and nothing else.
      if (expandBraces(pattern, 9)?.length !== 1) t.fail(`seed ${seed}: braces`);
      for (const [index, part] of pattern.split('/').entries()) {
        const component = componentPattern(part);
        if (component.kind !== 'name' || component.name !== text.split('/')[index])
          t.fail(`seed ${seed}: ${part}`);
      }
    }
  }
  t.pass();
});

/** In one of the ways that clients quote; Latin-1. */
function quote(word: Buffer, chance: Chance): string {
  const text = word.toString('latin1');
  if (chance.below(2) === 0) return `'${text.replaceAll("'", chance.pick([`'"'"'`, `'\\''`]))}'`;
  return `"${text.replaceAll(/["$`\\]/g, '\\$&')}"`;
}

t.test('patterns match as a simple matcher says', async (t) => {
  for (const seed of seeds(fuzzInputs(5000))) {
    const chance = new Chance(seed);
    const pattern = Array.from({ length: chance.below(7) }, () =>
      chance.pick(['*', '?', 'a', 'b', '[ab]', '[!a]']),
    ).join('');
    const name = Array.from({ length: chance.below(7) }, () => chance.pick(['a', 'b', 'c'])).join('');
    const component = componentPattern(pattern);
    const matches = component.kind === 'name' ? component.name === name : component.matches(name);
    const expected = new RegExp(
      `^${pattern.replaceAll('?', '.').replaceAll('*', '.*').replaceAll('!', '^')}$`,
    );
    if (matches !== expected.test(name)) t.equal(matches, expected.test(name), `${pattern} ${name}`);
  }
  t.pass();
});

t.test('any pattern is read', async (t) => {
  for (const seed of seeds(fuzzInputs(5000))) {
    const chance = new Chance(seed);
    const text = Array.from({ length: chance.below(20) }, () =>
      chance.pick([...Array.from('*?[]{},\\!^-:ab.'), 'digit', '\u{1f600}']),
    ).join('');
    const words = expandBraces(text, 50) ?? [];
    if (words.length > 50) t.fail(`seed ${seed}`);
    for (const word of words) {
      const component = componentPattern(word);
      if (component.kind === 'pattern') component.matches('ab-:digit\u{1f600}');
    }
  }
  t.pass();
});
