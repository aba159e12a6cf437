/**
 * Goal: OpenSSH's clients send and fetch files whole, with names, times and exit status right. Every behaviour runs in
 * both protocols from one table; `sftp` runs what it has words for.
 */
import t, { type Test } from 'tap';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missing, type Finished } from '../support/clients.ts';
import { sha256Of, writeRandom } from '../support/content.ts';
import { remote, startServer, type TestServer } from '../support/server.ts';

interface Client {
  readonly name: string;
  put(server: TestServer, local: string, path: string, flags?: readonly string[]): Promise<Finished>;
  get(server: TestServer, path: string, local: string, flags?: readonly string[]): Promise<Finished>;
}

/**
 * `scp -O` hands the path to what it takes for a shell, and checks what comes back against it as a pattern: backslashes mean
 * the same to both.
 */
const shellQuoted = (path: string): string => path.replaceAll(/[^\w./\u0080-\u{10ffff}-]/gu, '\\$&');
const batchQuoted = (path: string): string => `"${path.replaceAll(/["\\]/g, '\\$&')}"`;

const clients: readonly Client[] = [
  {
    name: 'scp',
    put: (server, local, path, flags = []) => server.scp('sftp', [...flags, local, remote(path)]),
    get: (server, path, local, flags = []) => server.scp('sftp', [...flags, remote(path), local]),
  },
  {
    name: 'scp -O',
    put: (server, local, path, flags = []) => server.scp('scp', [...flags, local, remote(shellQuoted(path))]),
    get: (server, path, local, flags = []) => server.scp('scp', [...flags, remote(shellQuoted(path)), local]),
  },
  {
    name: 'sftp',
    put: (server, local, path, flags = []) => {
      // Unlike scp, sftp puts a directory into an existing one of that name and creates none.
      const prepare = flags.includes('-r') ? `-mkdir ${batchQuoted(path)}\n` : '';
      return server.sftp(`${prepare}put ${flags.join(' ')} ${batchQuoted(local)} ${batchQuoted(path)}\n`);
    },
    get: (server, path, local, flags = []) =>
      server.sftp(`get ${flags.join(' ')} ${batchQuoted(path)} ${batchQuoted(local)}\n`),
  },
];

function makePlace(t: Test): string {
  const place = mkdtempSync(join(tmpdir(), 'scpd-client-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  return place;
}

async function sameFiles(t: Test, one: string, other: string): Promise<void> {
  t.equal(await sha256Of(one), await sha256Of(other), 'same bytes');
}

function succeeded(t: Test, finished: Finished): void {
  t.equal(finished.status, 0, `exit status 0 ${finished.stderr}`);
}

const dated = 1_111_111_111;

/** Behaviour → what is tried with each client. */
const behaviours: Readonly<Record<string, (t: Test, client: Client, server: TestServer) => Promise<void>>> = {
  'a file up and down': async (t, client, server) => {
    const place = makePlace(t);
    writeRandom(join(place, 'file'), 100_000);
    succeeded(t, await client.put(server, join(place, 'file'), 'updown'));
    await sameFiles(t, join(place, 'file'), server.stored('updown'));
    succeeded(t, await client.get(server, 'updown', join(place, 'back')));
    await sameFiles(t, join(place, 'file'), join(place, 'back'));
    const record = server.records().findLast(({ operation }) => operation === 'upload');
    t.match(record, {
      path: '/updown',
      outcome: 'done',
      bytes: 100_000,
      sha256: await sha256Of(join(place, 'file')),
    });
    t.equal(record?.verdict, client.name === 'scp -O' ? 'verified' : 'closed');
  },
  'into a directory': async (t, client, server) => {
    const place = makePlace(t);
    mkdirSync(server.stored('box'), { recursive: true });
    writeFileSync(join(place, 'file'), client.name);
    succeeded(t, await client.put(server, join(place, 'file'), 'box/'));
    t.equal(readFileSync(server.stored('box/file'), 'utf8'), client.name);
  },
  'a tree up and down': async (t, client, server) => {
    const place = makePlace(t);
    const tree = join(place, 'tree');
    mkdirSync(join(tree, 'a', 'b', 'empty'), { recursive: true });
    writeFileSync(join(tree, 'top'), 'top');
    for (let index = 0; index < 30; index += 1)
      writeFileSync(join(tree, 'a', `file ${index}`), `content ${index}`);
    writeRandom(join(tree, 'a', 'b', 'large'), 3_000_000);
    const target = `tree-by-${client.name.replace(' ', '')}`;
    succeeded(t, await client.put(server, tree, target, ['-r']));
    const stored = server.stored(client.name === 'sftp' ? `${target}/tree` : target);
    t.strictSame(
      readdirSync(stored, { recursive: true }).sort(),
      readdirSync(tree, { recursive: true }).sort(),
    );
    await sameFiles(t, join(tree, 'a', 'b', 'large'), join(stored, 'a', 'b', 'large'));
    const from = client.name === 'sftp' ? `${target}/tree` : target;
    succeeded(t, await client.get(server, from, join(place, 'back'), ['-r']));
    const back = join(place, 'back');
    t.strictSame(
      readdirSync(back, { recursive: true }).sort(),
      readdirSync(tree, { recursive: true }).sort(),
    );
    await sameFiles(t, join(tree, 'a', 'b', 'large'), join(back, 'a', 'b', 'large'));
  },
  'times and modes with -p': async (t, client, server) => {
    const place = makePlace(t);
    const file = join(place, 'file');
    writeFileSync(file, 'dated');
    chmodSync(file, 0o640);
    utimesSync(file, dated, dated);
    succeeded(t, await client.put(server, file, 'dated', ['-p']));
    t.match(statSync(server.stored('dated')), { mtimeMs: dated * 1000, mode: 0o100640 });
    succeeded(t, await client.get(server, 'dated', join(place, 'back'), ['-p']));
    t.match(statSync(join(place, 'back')), { mtimeMs: dated * 1000, mode: 0o100640 });
  },
  'times of directories with -p -r': async (t, client, server) => {
    const place = makePlace(t);
    mkdirSync(join(place, 'tree', 'inner'), { recursive: true });
    writeFileSync(join(place, 'tree', 'inner', 'file'), 'x');
    for (const name of ['tree/inner/file', 'tree/inner', 'tree']) utimesSync(join(place, name), dated, dated);
    const target = `dated-by-${client.name.replace(' ', '')}`;
    succeeded(t, await client.put(server, join(place, 'tree'), target, ['-p', '-r']));
    const stored = server.stored(client.name === 'sftp' ? `${target}/tree` : target);
    for (const name of ['inner/file', 'inner', '.']) {
      t.equal(statSync(join(stored, name)).mtimeMs, dated * 1000, name);
    }
  },
  'a longer file overwritten by a shorter one': async (t, client, server) => {
    const place = makePlace(t);
    writeFileSync(join(place, 'long'), 'long and long and longer still');
    writeFileSync(join(place, 'short'), 'short');
    succeeded(t, await client.put(server, join(place, 'long'), 'overwritten'));
    succeeded(t, await client.put(server, join(place, 'short'), 'overwritten'));
    t.equal(readFileSync(server.stored('overwritten'), 'utf8'), 'short', 'nothing of the old tail');
  },
  'an empty file': async (t, client, server) => {
    const place = makePlace(t);
    writeFileSync(join(place, 'empty'), '');
    succeeded(t, await client.put(server, join(place, 'empty'), 'empty'));
    t.equal(statSync(server.stored('empty')).size, 0);
    succeeded(t, await client.get(server, 'empty', join(place, 'back')));
    t.equal(statSync(join(place, 'back')).size, 0);
  },
  'names with spaces, quotes and unicode': async (t, client, server) => {
    const place = makePlace(t);
    const names = ['two words', "it's", 'grün – 日本 😀', '-dash', 'semi;colon $HOME `x`', 'back\\slash'];
    // Clients of SFTP take the backslash of a source for their own pattern language.
    for (const name of client.name === 'scp -O' ? names : names.slice(0, -1)) {
      writeFileSync(join(place, 'file'), name);
      succeeded(t, await client.put(server, join(place, 'file'), `./${name}`));
      t.equal(readFileSync(server.stored(name), 'utf8'), name, name);
      succeeded(t, await client.get(server, `./${name}`, join(place, 'back')));
      t.equal(readFileSync(join(place, 'back'), 'utf8'), name);
    }
  },
  '256 MiB': async (t, client, server) => {
    const place = makePlace(t);
    writeRandom(join(place, 'large'), 256 * 1024 * 1024);
    succeeded(t, await client.put(server, join(place, 'large'), 'large'));
    await sameFiles(t, join(place, 'large'), server.stored('large'));
    succeeded(t, await client.get(server, 'large', join(place, 'back')));
    await sameFiles(t, join(place, 'large'), join(place, 'back'));
  },
  'what is not there': async (t, client, server) => {
    const place = makePlace(t);
    writeFileSync(join(place, 'file'), 'x');
    const down = await client.get(server, 'nothing', join(place, 'back'));
    t.equal(down.status, 1);
    t.match(down.stderr, /(No such file or directory|not found)/);
    const up = await client.put(server, join(place, 'file'), 'no/such/directory');
    t.equal(up.status, 1);
    t.match(up.stderr, /No such file or directory/);
  },
  'what a reader may not do': async (t, client, server) => {
    const place = makePlace(t);
    writeFileSync(join(place, 'file'), 'x');
    writeFileSync(server.stored('shown', 'reader'), 'shown');
    const parameters = [join(place, 'file'), remote('new', 'reader')];
    const up =
      client.name === 'sftp'
        ? await server.sftp(`put ${batchQuoted(join(place, 'file'))} new\n`, 'reader')
        : await server.scp(client.name === 'scp' ? 'sftp' : 'scp', parameters);
    t.equal(up.status, 1);
    t.match(up.stderr, /[Pp]ermission denied/);
    t.notOk(existsSync(server.stored('new', 'reader')));
    t.match(await server.newest('upload'), { user: 'reader', outcome: 'refused' });
  },
};

const skip = missing('scp');
t.test('OpenSSH clients', { skip }, async (t) => {
  const server = await startServer(t, { users: { reader: { preset: 'read-only' } } });
  for (const [behaviour, act] of Object.entries(behaviours)) {
    for (const client of clients) {
      await t.test(`${client.name}: ${behaviour}`, async (t) => await act(t, client, server));
    }
  }
  await t.test('nothing is left behind', async (t) => {
    t.strictSame(server.staged(), []);
    t.same(await server.end('SIGTERM'), { status: 0, signal: null });
  });
});

t.test('both scp protocols: several sources, -d, -q, -v', { skip }, async (t) => {
  const server = await startServer(t);
  for (const protocol of ['scp', 'sftp'] as const) {
    await t.test(protocol, async (t) => {
      const place = makePlace(t);
      for (const name of ['one', 'two']) writeFileSync(join(place, name), name);
      mkdirSync(server.stored(`box-${protocol}`));
      const sources = [join(place, 'one'), join(place, 'two')];
      succeeded(t, await server.scp(protocol, ['-q', '-v', ...sources, remote(`box-${protocol}`)]));
      t.strictSame(readdirSync(server.stored(`box-${protocol}`)), ['one', 'two']);
      const down = [remote(`box-${protocol}/one`), remote(`box-${protocol}/two`), place];
      succeeded(t, await server.scp(protocol, down));
      const intoFile = await server.scp(protocol, [...sources, remote(`box-${protocol}/one`)]);
      t.not(intoFile.status, 0, 'two files can not become one');
      t.equal(readFileSync(server.stored(`box-${protocol}/one`), 'utf8'), 'one');
      t.equal(
        (await server.scp(protocol, [remote(`box-${protocol}`), place])).status,
        1,
        'a directory without -r',
      );
    });
  }
});

t.test('a box that partners drop into', { skip }, async (t) => {
  const server = await startServer(t, { users: { acme: { preset: 'drop-box', ownershipMinutes: 0 } } });
  const place = makePlace(t);
  writeFileSync(join(place, 'offer'), 'first');
  for (const protocol of ['scp', 'sftp'] as const) {
    const name = `offer-${protocol}`;
    succeeded(t, await server.scp(protocol, ['-p', join(place, 'offer'), remote(name, 'acme')]));
    t.equal(readFileSync(server.stored(name, 'acme'), 'utf8'), 'first');
    writeFileSync(join(place, 'other'), 'second');
    const again = await server.scp(protocol, [join(place, 'other'), remote(name, 'acme')]);
    t.equal(again.status, 1, 'another session does not overwrite');
    t.equal(readFileSync(server.stored(name, 'acme'), 'utf8'), 'first');
    const back = await server.scp(protocol, [remote(name, 'acme'), join(place, 'back')]);
    t.not(back.status, 0, 'nor read back');
  }
  t.match(await server.sftp('ls /\n', 'acme'), { status: 1, stdout: /^sftp> ls \/\n$/ });
});

t.test('whoever wants a shell is told, once', { skip }, async (t) => {
  const server = await startServer(t);
  const shell = await server.ssh([]);
  t.match(shell.stdout + shell.stderr, /only transfers files/);
  const command = await server.ssh(['id; touch /tmp/x']);
  t.not(command.status, 0);
  t.equal(command.stdout, '');
  t.match(command.stderr, /not allowed/);
  t.equal(command.stderr.trim().split('\n').length, 1, command.stderr);
});

t.test('who may not log in', { skip }, async (t) => {
  const server = await startServer(t);
  t.match(await server.sftp('ls\n', 'nobody'), { status: 255, stderr: /Permission denied \(publickey\)/ });
  t.match(await server.newest('login'), { outcome: 'refused', user: 'nobody' });
});
