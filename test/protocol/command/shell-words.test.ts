/** Words are split as sh splits them, byte for byte, and nothing that sh would act upon gets through. */
import t from 'tap';
import { commandBytesMax, commandWordsMax } from '../../../src/limits.ts';
import { encodeName } from '../../../src/name-bytes.ts';
import { shellWords } from '../../../src/protocol/command/shell-words.ts';

/** A command (a string is UTF-8) and its words. */
const accepted: readonly (readonly [string | Buffer, readonly (string | Buffer)[]])[] = [
  ['', []],
  ['  \t ', []],
  ['scp -t x', ['scp', '-t', 'x']],
  ["scp -f  'P'", ['scp', '-f', 'P']],
  ["''", ['']],
  ['""', ['']],
  ["a '' b", ['a', '', 'b']],
  ["a'b'c", ['abc']],
  ["'my file'", ['my file']],
  ['"my file"', ['my file']],
  ['my\\ file', ['my file']],
  [`'it'"'"'s'`, ["it's"]],
  [`'it'\\''s'`, ["it's"]],
  ["'wow'\\!''", ['wow!']],
  ["'a\\b'", ['a\\b']],
  ['"a\\b\\"\\$\\`\\\\"', ['a\\b"$`\\']],
  ["'$(x)`y`;|&<>\n'", ['$(x)`y`;|&<>\n']],
  ['"a;|&<>()\nb"', ['a;|&<>()\nb']],
  ['\\$\\;\\&', ['$;&']],
  ['\\ün\\ï', ['ünï']],
  [Buffer.from([0x61, 0xff, 0x5c, 0xfe]), [Buffer.from([0x61, 0xff, 0xfe])]],
  [Buffer.from([0x27, 0xe9, 0x27]), [Buffer.from([0xe9])]],
  ['a\\\nb', ['ab']],
  ['"a\\\nb"', ['ab']],
  ['scp -t x\n', ['scp', '-t', 'x']],
  ['scp -t x\r\n', ['scp', '-t', 'x']],
  ['* ? [a] {b,c} # !', ['*', '?', '[a]', '{b,c}', '#', '!']],
  ['~', ['']],
  ['~/', ['']],
  ['~/x/y', ['x/y']],
  ["~/'a b'", ['a b']],
  ['~user/x', ['~user/x']],
  ["'~/x'", ['~/x']],
  ['\\~/x', ['~/x']],
  ['a~/x', ['a~/x']],
  ["''~/x", ['~/x']],
];

t.test('words, byte for byte', async (t) => {
  for (const [command, expected] of accepted) {
    const split = shellWords(Buffer.from(command as string));
    const words = split.kind === 'words' ? split.words.map(({ text }) => encodeName(text)) : split;
    const name = JSON.stringify(Buffer.from(command as string).toString('latin1'));
    t.same(
      words,
      expected.map((word) => Buffer.from(word as string)),
      name,
    );
  }
});

t.test('whatever a shell would act upon is refused', async (t) => {
  const refused = [
    'scp -t x; id',
    'scp -t x|id',
    'scp -t x & id',
    'scp -t `id`',
    'scp -t "`id`"',
    'scp -t $(id)',
    'scp -t "$(id)"',
    'scp -t $HOME',
    'scp -t "$HOME"',
    'scp -t (x)',
    'scp -t x > y',
    'scp -t < y',
    'scp -t x\nid',
    'scp -t x\rid',
    '\n\nid',
  ];
  for (const command of refused) {
    t.match(shellWords(Buffer.from(command)), { kind: 'refused', reason: /no meaning here/ }, command);
  }
});

t.test('what has no end is refused', async (t) => {
  for (const command of ["'a", '"a', 'a\\', '"a\\"', `'a'"b`, "'a\n"]) {
    t.match(shellWords(Buffer.from(command)), { kind: 'refused', reason: /not closed|ends in/ }, command);
  }
  t.match(shellWords(Buffer.from('scp -t a\0b')), { kind: 'refused', reason: /NUL/ });
  t.match(shellWords(Buffer.from("scp -t 'a\0b'")), { kind: 'refused', reason: /NUL/ });
});

t.test('limits', async (t) => {
  t.equal(shellWords(Buffer.alloc(commandBytesMax, 'a')).kind, 'words');
  t.match(shellWords(Buffer.alloc(commandBytesMax + 1, 'a')), { kind: 'refused', reason: /too long/ });
  t.equal(shellWords(Buffer.from('a '.repeat(commandWordsMax))).kind, 'words');
  t.match(shellWords(Buffer.from('a '.repeat(commandWordsMax + 1))), { reason: /too many words/ });
});
