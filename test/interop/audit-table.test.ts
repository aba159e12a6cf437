/**
 * Goal: whatever a client does leaves exactly its records: no more, no fewer, in order. One table of what is done and how it
 * ends, in both protocols; what frames it (login, session, end of the connection) is the same for all.
 */
import t from 'tap';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WrittenRecord } from '../../src/audit/record.ts';
import { missing } from '../support/clients.ts';
import { remote, startServer, type TestServer } from '../support/server.ts';

const skip = missing('scp');

interface Row {
  readonly what: string;
  readonly run: (server: TestServer, file: string) => Promise<unknown>;
  /** `operation outcome`, with `begin` or what it ended by, and the path. */
  readonly records: readonly string[];
}

const sftp = (batch: string, user?: string) => (server: TestServer, file: string) =>
  server.sftp(batch.replaceAll('FILE', file), user);

const rows: readonly Row[] = [
  {
    what: 'scp -O: an upload',
    run: (server, file) => server.scp('scp', [file, remote('a')]),
    records: ['upload begin /a', 'upload done verified /a'],
  },
  {
    what: 'scp -s: an upload',
    run: (server, file) => server.scp('sftp', [file, remote('b')]),
    records: ['upload begin /b', 'upload done closed /b'],
  },
  {
    what: 'scp -O: a download',
    run: (server) => server.scp('scp', [remote('a'), '/dev/null']),
    records: ['download begin /a', 'download done verified /a'],
  },
  {
    what: 'scp -s: a download',
    run: (server) => server.scp('sftp', [remote('a'), '/dev/null']),
    records: ['download begin /a', 'download done closed /a'],
  },
  {
    what: 'scp -O: an upload that the rules refuse',
    run: (server, file) => server.scp('scp', [file, remote('x', 'reader')]),
    records: ['upload refused PERMISSION_DENIED not-allowed /x'],
  },
  {
    what: 'scp -s: an upload that the rules refuse',
    run: (server, file) => server.scp('sftp', [file, remote('x', 'reader')]),
    records: ['upload refused PERMISSION_DENIED not-allowed /x'],
  },
  {
    what: 'scp -O: a file that is too large',
    run: (server, file) => server.scp('scp', [file, remote('x', 'small')]),
    records: ['upload refused FILE_TOO_LARGE size /x'],
  },
  {
    what: 'sftp: a file that turns out too large',
    run: sftp('put FILE x\n', 'small'),
    records: ['upload begin /x', 'upload refused FILE_TOO_LARGE size aborted /x'],
  },
  {
    what: 'sftp: changes of the tree',
    run: sftp(
      'mkdir d\nrename a d/a\nln -s d/a l\nln d/a h\nchmod 600 d/a\nrm l\nrm h\nrename d/a a\nrmdir d\n',
    ),
    records: [
      'mkdir done /d',
      'rename done /a',
      'link done /l',
      'hardlink done /d/a',
      'attributes done /d/a',
      'remove done /l',
      'remove done /h',
      'rename done /d/a',
      'rmdir done /d',
    ],
  },
  {
    what: 'sftp: changes that can not be',
    run: sftp('-mkdir a\n-rmdir none\n-rename none x\n-rm none\n'),
    records: [
      'mkdir failed ALREADY_EXISTS /a',
      'rmdir failed NOT_FOUND /none',
      'rename failed NOT_FOUND /none',
      'remove failed NOT_FOUND /none',
    ],
  },
  {
    what: 'sftp: changes that the rules refuse',
    run: sftp('-mkdir x\n-rmdir directory\n-ln -s x y\n-chmod 600 file\n-rm file\n', 'reader'),
    records: [
      'mkdir refused PERMISSION_DENIED not-allowed /x',
      'rmdir refused PERMISSION_DENIED not-allowed /directory',
      'link refused PERMISSION_DENIED not-allowed /y',
      'attributes refused PERMISSION_DENIED not-allowed /file',
      'remove refused PERMISSION_DENIED not-allowed /file',
    ],
  },
  {
    what: 'sftp: a link out of the root',
    run: sftp('-ln -s ../../x y\n'),
    records: ['link refused PERMISSION_DENIED beneath /y'],
  },
  {
    what: 'ssh: a hash',
    run: (server) => server.ssh(['md5sum', 'a']),
    records: ['hash done /a'],
  },
  {
    what: 'sftp: looks have no record of their own',
    run: sftp('ls -l\n-ls none\n'),
    records: [],
  },
];

function brief({ operation, phase, outcome, verdict, error, rule, path }: WrittenRecord): string {
  const how = phase === 'begin' ? ['begin'] : [outcome, error, rule?.reason, verdict];
  return [operation, ...how, path].filter((one) => one !== undefined).join(' ');
}

t.test('operations and outcomes', { skip }, async (t) => {
  const server = await startServer(t, {
    users: { reader: { preset: 'read-only' }, small: { fileSizeMax: '10B' } },
  });
  mkdirSync(server.stored('directory', 'reader'));
  writeFileSync(server.stored('file', 'reader'), 'x');
  const place = mkdtempSync(join(tmpdir(), 'scpd-audit-table-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const file = join(place, 'file');
  writeFileSync(file, 'x'.repeat(1000));
  for (const { what, run, records } of rows) {
    const before = server.records().length;
    await run(server, file);
    const since = async (): Promise<WrittenRecord[]> => {
      for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 20) {
        const own = server
          .records()
          .slice(before)
          .filter(({ protocol }) => protocol !== 'server');
        if (own.some(({ operation }) => operation === 'disconnect')) return own;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return [];
    };
    const own = await since();
    const [login, begin] = own;
    t.match(login, { operation: 'login', outcome: 'done', method: 'publickey' }, what);
    t.match(begin, { operation: 'session', phase: 'begin' }, what);
    t.match(own.at(-1), { operation: 'disconnect', outcome: 'done' }, what);
    const ends = own.filter(({ operation, phase }) => operation === 'session' && phase === 'end');
    t.equal(ends.length, 1, `${what}: the session ends once`);
    const between = own.filter(({ operation }) => !['login', 'session', 'disconnect'].includes(operation));
    // A client may look before it acts, and be refused that.
    const acts = between.filter(({ operation }) => operation !== 'stat' && operation !== 'list');
    t.strictSame(acts.map(brief), records, what);
    t.ok(
      acts.every(({ connection, session }) => connection === login?.connection && session === begin?.session),
    );
  }
});

t.test('what is refused before it begins', { skip }, async (t) => {
  const server = await startServer(t, { limits: { connections: 1 } });
  await server.ssh(['rm', '-rf', '/']);
  t.match(await server.newest('exec'), { outcome: 'refused', path: 'rm -rf /', error: 'COMMAND_REFUSED' });
  await server.ssh(['-s', 'nonsense']);
  t.match(await server.newest('request'), { outcome: 'refused', path: 'subsystem nonsense' });
  await server.ssh(['true'], 'stranger');
  t.match(await server.newest('login'), {
    outcome: 'refused',
    user: 'stranger',
    method: 'publickey',
    key: /^SHA256:/,
    error: 'LOGIN_REFUSED',
  });
  t.match(server.records()[1], { operation: 'config', outcome: 'done', sha256: /^[0-9a-f]{64}$/ });
});
