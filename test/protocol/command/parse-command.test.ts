/** The commands that real clients send, and what is made of others. */
import t from 'tap';
import { programs } from '../../../src/protocol/command/programs.ts';
import { parseCommand, type Command, type CommandPath } from '../../../src/protocol/command/parse-command.ts';

const sink = {
  kind: 'scp-sink',
  recursive: false,
  preserve: false,
  targetMustBeDirectory: false,
  verbose: false,
} as const;
const source = { kind: 'scp-source', recursive: false, preserve: false, verbose: false } as const;

const path = (text: string, pattern = text): CommandPath => ({ text, pattern });
const target = (text: string): { readonly target: string; readonly targetPattern: string } => ({
  target: text,
  targetPattern: text,
});

/** As seen on the wire from OpenSSH, PuTTY, libssh2, libssh, scp.py, asyncssh, net-scp, Net::OpenSSH, WinSCP and Go. */
const commands: readonly (readonly [string, Command])[] = [
  ['scp -t .', { ...sink, ...target('.') }],
  [
    'scp -v -r -p -d -t dir',
    {
      kind: 'scp-sink',
      recursive: true,
      preserve: true,
      targetMustBeDirectory: true,
      verbose: true,
      ...target('dir'),
    },
  ],
  ['scp -t -- -name', { ...sink, ...target('-name') }],
  ['scp -t -', { ...sink, ...target('-') }],
  ["scp -pt 'P'", { ...sink, preserve: true, ...target('P') }],
  ["scp -t -r 'P'", { ...sink, recursive: true, ...target('P') }],
  ['scp -rr -t -r P', { ...sink, recursive: true, ...target('P') }],
  ['scp -qt P', { ...sink, ...target('P') }],
  ['/usr/bin/scp -t P', { ...sink, ...target('P') }],
  ['scp -d -t P/', { ...sink, targetMustBeDirectory: true, ...target('P/') }],
  ["scp -t ''", { ...sink, ...target('.') }],
  ['scp -t ', { ...sink, ...target('.') }],
  ['scp -t ~', { ...sink, ...target('.') }],
  ['scp -t ~/a', { ...sink, ...target('a') }],
  ['scp -t sftp-server', { ...sink, ...target('sftp-server') }],
  ['scp -t \\ün\\ï', { ...sink, ...target('ünï') }],
  ["scp -pf 'P'", { ...source, preserve: true, sources: [path('P')] }],
  ['scp -f -d P', { ...source, sources: [path('P')] }],
  ['scp -r -f a "b c" \'\'', { ...source, recursive: true, sources: [path('a'), path('b c'), path('.')] }],
  ['scp -f *.txt', { ...source, sources: [path('*.txt')] }],
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
    ['/bin/rm -rf /', /rm is not available/],
    ['\x1b[2Jx', /\\x1b/],
    ['scp', /usage|expected: scp/],
    ['scp -t -f x', /expected: scp/],
    ['scp -l 8 -t x', /unknown option -l/],
    ['scp -S /bin/sh -t x', /unknown option -S/],
    ['scp -oProxyCommand=id -t x', /unknown option -o/],
    ['scp --recursive -t x', /unknown option --/],
    ['scp -t x; id', /";" has no meaning here/],
    ['rsync --server -logDtpre.iLsfxCIvu . P', /rsync is not available/],
    ['test -x /bin/sh && exec /bin/sh\nexec sftp-server', /has no meaning/],
    ['exec sftp-server\nid', /has no meaning/],
    ['echo $(id)', /has no meaning/],
    ['echo `id`', /has no meaning/],
    ['echo a > b', /has no meaning/],
    ['echonot $HOME', /has no meaning/],
    ['md5sum $HOME', /has no meaning/],
    ['rm -f a', /rm is not available/],
    ['chmod 777 a', /chmod is not available/],
    ['cd /', /cd is not available/],
    ['df -Pk / | awk x', /"\|" has no meaning/],
    ['scp a.txt demo@other:b.txt', /run scp -3 instead of scp -R/],
    ['scp -r -p dir one:two', /run scp -3/],
  ];
  for (const [text, words] of refused) {
    const command = parseCommand(Buffer.from(text));
    t.match(command, { kind: 'refused', words: /^command not allowed: / }, text);
    t.match(command, { words }, text);
  }
});

t.test('companion commands, at any path and with quotes', async (t) => {
  const companions = [
    ['md5sum', 'md5sum', []],
    ['/usr/bin/md5sum a\\ b', 'md5sum', ['a b']],
    ["sha1sum 'it'\\''s'", 'sha1sum', ["it's"]],
    ['sha256sum -- -x', 'sha256sum', ['--', '-x']],
    ["ls -la 'sub'", 'ls', ['-la', 'sub']],
    ['df -Pk .', 'df', ['-Pk', '.']],
    ["mkdir -p 'a/b'", 'mkdir', ['-p', 'a/b']],
    ['echo ${ShellId}%ComSpec%', 'echo', ['%ComSpec%']],
    ['echo "$HOME" \'$HOME\' $?', 'echo', ['', '$HOME', '']],
    ['ls sftp-server', 'ls', ['sftp-server']],
    ['pwd', 'pwd', []],
  ] as const;
  for (const [text, name, words] of companions) {
    const command = parseCommand(Buffer.from(text));
    t.match(command, { kind: 'companion', name }, text);
    if (command.kind === 'companion')
      t.same(
        command.parameters.map((word) => word.text),
        words,
        text,
      );
  }
});

t.test('what was quoted is no pattern', async (t) => {
  const command = parseCommand(Buffer.from("scp -f *.log '*.log' \\*.log a\"[x]\"? 'a{b,c}'{d,e}"));
  t.match(command, {
    sources: [
      path('*.log'),
      path('*.log', '\\*.log'),
      path('*.log', '\\*.log'),
      path('a[x]?', 'a\\[x\\]?'),
      path('a{b,c}{d,e}', 'a\\{b\\,c\\}{d,e}'),
    ],
  });
});

t.test('the home of the login, by name', async (t) => {
  const targets = [
    ['scp -t ~alice', '.'],
    ['scp -t ~alice/', '.'],
    ['scp -t ~alice/in/x', 'in/x'],
    ['scp -t ~', '.'],
    ['scp -t ~alice2/x', '~alice2/x'],
    ['scp -t ~bob/x', '~bob/x'],
    ["scp -t ~'alice'/x", '~alice/x'],
    ['scp -t "~alice"/x', '~alice/x'],
    ['scp -t ~al\\ice/x', '~alice/x'],
  ] as const;
  for (const [text, expected] of targets) {
    t.match(parseCommand(Buffer.from(text), { userName: 'alice' }), { target: expected }, text);
  }
});

t.test('unquoted spaces, where they are joined', async (t) => {
  const join = { unquotedSpaces: 'join' } as const;
  for (const [text, expected] of [
    ['scp -t sub/my file', 'sub/my file'],
    ['scp -r -t my  two   spaces', 'my  two   spaces'],
    ["scp -t one 'two three' four\\*", 'one two three four*'],
    ['scp -t -- -a -b', '-a -b'],
  ] as const) {
    t.match(parseCommand(Buffer.from(text), join), { kind: 'scp-sink', target: expected }, text);
  }
  t.match(parseCommand(Buffer.from('scp -f a b'), join), { sources: [path('a'), path('b')] });
});

t.test('the table has each name once', async (t) => {
  const names = programs.map(({ name }) => name);
  t.equal(new Set(names).size, names.length);
});
