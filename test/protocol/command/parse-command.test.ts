/** The commands that real clients send, and what is made of others. */
import t from 'tap';
import { parseCommand, type Command } from '../../../src/protocol/command/parse-command.ts';

const sink = {
  kind: 'scp-sink',
  recursive: false,
  preserve: false,
  targetMustBeDirectory: false,
  verbose: false,
} as const;
const source = { kind: 'scp-source', recursive: false, preserve: false, verbose: false } as const;

/** As seen on the wire from OpenSSH, PuTTY, libssh2, libssh, scp.py, asyncssh, net-scp, Net::OpenSSH, WinSCP and Go. */
const commands: readonly (readonly [string, Command])[] = [
  ['scp -t .', { ...sink, target: '.' }],
  [
    'scp -v -r -p -d -t dir',
    {
      kind: 'scp-sink',
      recursive: true,
      preserve: true,
      targetMustBeDirectory: true,
      verbose: true,
      target: 'dir',
    },
  ],
  ['scp -t -- -name', { ...sink, target: '-name' }],
  ['scp -t -', { ...sink, target: '-' }],
  ["scp -pt 'P'", { ...sink, preserve: true, target: 'P' }],
  ["scp -t -r 'P'", { ...sink, recursive: true, target: 'P' }],
  ['scp -rr -t -r P', { ...sink, recursive: true, target: 'P' }],
  ['scp -qt P', { ...sink, target: 'P' }],
  ['/usr/bin/scp -t P', { ...sink, target: 'P' }],
  ['scp -d -t P/', { ...sink, targetMustBeDirectory: true, target: 'P/' }],
  ["scp -t ''", { ...sink, target: '.' }],
  ['scp -t ', { ...sink, target: '.' }],
  ['scp -t ~', { ...sink, target: '.' }],
  ['scp -t ~/a', { ...sink, target: 'a' }],
  ['scp -t sftp-server', { ...sink, target: 'sftp-server' }],
  ['scp -t \\ün\\ï', { ...sink, target: 'ünï' }],
  ["scp -pf 'P'", { ...source, preserve: true, sources: ['P'] }],
  ['scp -f -d P', { ...source, sources: ['P'] }],
  ['scp -r -f a "b c" \'\'', { ...source, recursive: true, sources: ['a', 'b c', '.'] }],
  ['scp -f *.txt', { ...source, sources: ['*.txt'] }],
  ['/usr/lib/openssh/sftp-server', { kind: 'sftp-server' }],
  ['sftp-server', { kind: 'sftp-server' }],
  ['exec sftp-server', { kind: 'sftp-server' }],
  [
    'test -x /usr/lib/sftp-server && exec /usr/lib/sftp-server\n' +
      'test -x /usr/local/lib/sftp-server && exec /usr/local/lib/sftp-server\n' +
      'exec sftp-server',
    { kind: 'sftp-server' },
  ],
];

t.test('commands of real clients', async (t) => {
  for (const [text, expected] of commands) t.same(parseCommand(Buffer.from(text)), expected, text);
});

t.test('an scp that cannot be served is told so in its own protocol', async (t) => {
  t.match(parseCommand(Buffer.from('scp -t sub/my file')), {
    kind: 'scp-refused',
    words: /^ambiguous target/,
  });
  t.match(parseCommand(Buffer.from('scp -f')), { kind: 'scp-refused', words: /no file/ });
});

t.test('everything else is refused in words', async (t) => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ['', /empty/],
    ["''", /empty/],
    ['ls -la', /ls is not available/],
    ['/bin/rm -rf /', /rm is not available/],
    ['\x1b[2Jx', /\\x1b/],
    ['scp', /usage|expected: scp/],
    ['scp a b', /expected: scp/],
    ['scp -t -f x', /expected: scp/],
    ['scp -l 8 -t x', /unknown option -l/],
    ['scp -S /bin/sh -t x', /unknown option -S/],
    ['scp -oProxyCommand=id -t x', /unknown option -o/],
    ['scp --recursive -t x', /unknown option --/],
    ['scp -t x; id', /";" has no meaning here/],
    ['rsync --server -logDtpre.iLsfxCIvu . P', /rsync is not available/],
    ['test -x /bin/sh && exec /bin/sh\nexec sftp-server', /has no meaning/],
    ['exec sftp-server\nid', /has no meaning/],
    ['echo ${ShellId}%ComSpec%', /has no meaning/],
  ];
  for (const [text, words] of refused) {
    const command = parseCommand(Buffer.from(text));
    t.match(command, { kind: 'refused', words: /^command not allowed: / }, text);
    t.match(command, { words }, text);
  }
});
