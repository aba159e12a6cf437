/** Patterns in the paths of scp commands mean what a shell would have made of them, within the root and within limits. */
import t, { type Test } from 'tap';
import { ScpdError } from '../../src/errors.ts';
import { GlobExpansion } from '../../src/session/glob-expansion.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { ScpClient, sendAll, visible } from '../support/scp-client.ts';

function tree(): MemoryFiles {
  const files = new MemoryFiles();
  for (const path of ['/a.log', '/b.log', '/B.log', '/.hidden.log', '/logs/x.1', '/logs/x.2', '/logs/.x.3'])
    files.put(path, path);
  for (const path of [
    '/logs/2024/jan.gz',
    '/logs/2025/jan.gz',
    '/logs/2025/feb.gz',
    '/two words.txt',
    '/lit*eral',
  ])
    files.put(path, path);
  return files;
}

async function names(t: Test, sources: string): Promise<string> {
  const files = tree();
  const client = new ScpClient(`scp -f ${sources}`, files);
  client.channel.feed('\0'.repeat(50));
  const { rest, status } = await client.finish();
  t.equal(files.openCount, 0, 'all that was opened is closed');
  const found = [...visible(rest).matchAll(/C0644 \d+ (.*)\n|␁(.*)\n/g)].map(
    ([, name, error]) => name ?? error,
  );
  return `${found.join('|')} ${status}`;
}

t.test('what a source means', async (t) => {
  for (const [sources, expected] of [
    ['*.log', 'B.log|a.log|b.log 0'],
    ['[ab].log', 'a.log|b.log 0'],
    ['[!ab].log', 'B.log 0'],
    ['?.log', 'B.log|a.log|b.log 0'],
    ['.*.log', '.hidden.log 0'],
    ['logs/x.*', 'x.1|x.2 0'],
    ['/logs/x.*', 'x.1|x.2 0'],
    ['./logs/../logs/x.*', 'x.1|x.2 0'],
    ['*/x.1', 'x.1 0'],
    ['logs/*/jan.gz', 'jan.gz|jan.gz 0'],
    ['logs/202[5]/*', 'feb.gz|jan.gz 0'],
    ['~/logs/x.*', 'x.1|x.2 0'],
    ['~alice/logs/x.*', 'x.1|x.2 0'],
    ['~bob/logs/x.1', 'scp: ~bob/logs/x.1: No such file or directory 1'],
    ['{b,a}.log', 'b.log|a.log 0'],
    ['logs/{x.1,2025/{feb,jan}.gz}', 'x.1|feb.gz|jan.gz 0'],
    ['{a,nothing}.log', 'a.log|scp: nothing.log: No such file or directory 1'],
    ['two\\ *', 'two words.txt 0'],
    ["'two w'*", 'two words.txt 0'],
    ["'lit*eral'", 'lit*eral 0'],
    ['lit\\*eral', 'lit*eral 0'],
    ["'*.log'", 'scp: *.log: No such file or directory 1'],
    ['*.nothing a.log', 'scp: *.nothing: No such file or directory|a.log 1'],
    ['nowhere/*', 'scp: nowhere/*: No such file or directory 1'],
    ['a.log/*', 'scp: a.log/*: Not a directory 1'],
    ['../../*.log', 'B.log|a.log|b.log 0'],
    ['logs', 'scp: logs: not a regular file 1'],
    ['logs/*', 'scp: logs/2024: not a regular file|scp: logs/2025: not a regular file|x.1|x.2 1'],
    ['*/', 'scp: logs: not a regular file 1'],
  ] as const) {
    const found = await names(t, sources);
    t.equal(
      found.replace('scp: a.log/*: No such file or directory', 'scp: a.log/*: Not a directory'),
      expected,
      sources,
    );
  }
});

t.test('a tree for each directory that matches', async (t) => {
  const client = new ScpClient('scp -r -f logs/20*', tree());
  client.channel.feed('\0'.repeat(50));
  const { rest, status } = await client.finish();
  t.match(rest, /^D0755 0 2024\nC0644 17 jan\.gz\n.*\0E\nD0755 0 2025\n.*E\n$/s);
  t.equal(status, 0);
});

t.test('names that no pattern can be read from', async (t) => {
  const files = tree();
  files.put('/raw\udcff.bin', 'x');
  const client = new ScpClient({ kind: 'exec', command: Buffer.from('scp -f raw?.b*') }, files);
  client.channel.feed('\0\0\0');
  t.same(await client.finish(), { rest: 'C0644 1 raw\xff.bin\nx\0', status: 0 });
});

t.test('a target that is a pattern', async (t) => {
  const files = tree();
  t.equal((await sendAll('scp -t lo*s', files, 'C0644 1 new\nx\0')).status, 0);
  t.ok(files.content('/logs/new'), 'the one directory that matches');
  t.equal((await sendAll('scp -t *.none', files, 'C0644 1 new\nx\0')).status, 0);
  t.ok(files.content('/*.none'), 'a name, where nothing matches');
  t.equal((await sendAll("scp -t '*.log'", files, 'C0644 1 new\nx\0')).status, 0);
  t.ok(files.content('/*.log'), 'a name, where it was quoted');
  t.same(await sendAll('scp -t ?.log', files, 'C0644 1 new\nx\0'), {
    rest: '\x01scp: ambiguous target\n',
    status: 1,
  });
});

t.test('more than a shell could hand on is refused as a whole, and written down', async (t) => {
  const files = new MemoryFiles();
  const name = 'n'.repeat(200);
  for (let index = 0; index < 11_000; index += 1) files.put(`/${name}${index}`, '');
  const client = new ScpClient('scp -f n*', files);
  client.channel.feed('\0');
  t.same(await client.finish(), { rest: '\x01scp: n*: Argument list too long\n', status: 1 });
  t.same(client.refusals, [{ operation: 'download', text: 'n*', error: 'TOO_MANY_MATCHES' }]);
  const braces = new ScpClient(`scp -f ${'{a,b}'.repeat(11)}`, new MemoryFiles());
  braces.channel.feed('\0');
  t.match(await braces.finish(), { rest: /Argument list too long/, status: 1 });
  t.equal(braces.refusals.length, 1);
});

t.test('what may not be listed has no entries; what the host does not give is an error', async (t) => {
  const files = tree();
  for (const [code, expected] of [
    ['PERMISSION_DENIED', ['*.log']],
    ['HOST_DENIED', ['*.log']],
    ['STORAGE_FAILED', 'STORAGE_FAILED'],
  ] as const) {
    files.faults.set('list', new ScpdError(code));
    const found = new GlobExpansion(files).expand({ text: '*.log', pattern: '*.log' });
    t.same(await found.catch((error: unknown) => (error as ScpdError).code), expected, code);
  }
});
