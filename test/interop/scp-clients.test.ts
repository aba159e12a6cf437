/**
 * Goal: every client that speaks SCP sends and fetches files whole, with trees, times and names as far as it can, and sees
 * failures as failures. `make clients` writes what was seen into docs/clients.md, `make transcripts` the wire of each.
 */
import t, { type Test } from 'tap';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noteClient } from '../support/client-table.ts';
import { missing, type Finished } from '../support/clients.ts';
import { sha256Of, writeRandom } from '../support/content.ts';
import { scpClients, setDesk, versionOf, type Desk, type ScpClientProgram } from '../support/scp-clients.ts';
import { startServer } from '../support/server.ts';

type Act = (t: Test, client: ScpClientProgram, desk: Desk) => Promise<void>;

const dated = 1_111_111_111;
const specialNames = [
  'two words',
  ' leading and trailing ',
  "it's",
  'say "hi"',
  'grün – 日本 😀',
  '-dash',
  'semi;colon $HOME `x` & | > <',
  'star*[1]? {a,b}',
  'back\\slash',
  '~tilde',
  '#hash!',
  '%41',
];

function succeeded(t: Test, finished: Finished, what: string): void {
  t.equal(finished.status, 0, `${what}: ${finished.stderr}${finished.stdout}`);
}

async function sameFiles(t: Test, one: string, other: string): Promise<void> {
  t.equal(await sha256Of(one), await sha256Of(other), 'same bytes');
}

const own = (client: ScpClientProgram, name: string): string =>
  `${client.name.replaceAll(/\W/g, '')}-${name}`;

const behaviours: Readonly<Record<string, Act>> = {
  'a file up': async (t, client, desk) => {
    for (const bytes of [3_000_000, 5000, 0]) {
      const local = join(desk.place, `file-${bytes}`);
      writeRandom(local, bytes);
      const path = own(client, 'file');
      succeeded(t, await client.put(desk, { local, path }), `${bytes} bytes`);
      await sameFiles(t, local, desk.server.stored(path));
      const record = desk.server.records().findLast(({ operation }) => operation === 'upload');
      t.match(record, { path: `/${path}`, outcome: 'done', bytes, verdict: 'verified' });
    }
    mkdirSync(desk.server.stored(own(client, 'box')));
    const local = join(desk.place, 'into');
    writeFileSync(local, client.name);
    succeeded(t, await client.put(desk, { local, path: `${own(client, 'box')}/named` }), 'into a directory');
    t.equal(readFileSync(desk.server.stored(`${own(client, 'box')}/named`), 'utf8'), client.name);
  },
  'a file down': async (t, client, desk) => {
    for (const bytes of [3_000_000, 5000, 0]) {
      const path = own(client, 'fetch');
      writeRandom(desk.server.stored(path), bytes);
      const local = join(desk.place, own(client, `back-${bytes}`));
      succeeded(t, await client.get(desk, { local, path }), `${bytes} bytes`);
      await sameFiles(t, local, desk.server.stored(path));
    }
  },
  'a tree up': async (t, client, desk) => {
    const local = makeTree(desk, own(client, 'tree'));
    succeeded(t, await client.put(desk, { local, path: own(client, 'copy'), flags: ['-r'] }), 'tree');
    sameTrees(t, local, desk.server.stored(own(client, 'copy')));
  },
  'a tree down': async (t, client, desk) => {
    const source = makeTree(desk, own(client, 'made'));
    const path = own(client, 'tree-down');
    copyTree(source, desk.server.stored(path));
    const local = join(desk.place, own(client, 'fetched'));
    succeeded(t, await client.get(desk, { local, path, flags: ['-r'] }), 'tree');
    sameTrees(t, source, client.fetchesInto === true ? join(local, path) : local);
  },
  'times up': async (t, client, desk) => {
    const local = join(desk.place, own(client, 'dated'));
    writeFileSync(local, 'dated');
    chmodSync(local, 0o640);
    utimesSync(local, dated, dated);
    succeeded(t, await client.put(desk, { local, path: own(client, 'dated'), flags: ['-p'] }), '-p');
    t.match(statSync(desk.server.stored(own(client, 'dated'))), { mtimeMs: dated * 1000, mode: 0o100640 });
  },
  'times down': async (t, client, desk) => {
    const path = own(client, 'dated-down');
    writeFileSync(desk.server.stored(path), 'dated');
    utimesSync(desk.server.stored(path), dated, dated);
    const local = join(desk.place, path);
    succeeded(t, await client.get(desk, { local, path, flags: ['-p'] }), '-p');
    t.equal(statSync(local).mtimeMs, dated * 1000);
  },
  'special names': async (t, client, desk) => {
    for (const name of specialNames.filter((text) => client.hardNames?.pattern.test(text) !== true)) {
      const local = join(desk.place, 'special');
      writeFileSync(local, name);
      mkdirSync(desk.server.stored(own(client, 'names')), { recursive: true });
      const path = `${own(client, 'names')}/${name}`;
      succeeded(t, await client.put(desk, { local, path }), name);
      t.equal(readFileSync(desk.server.stored(path), 'utf8'), name, name);
      const back = join(desk.place, own(client, 'special-back'));
      succeeded(t, await client.get(desk, { local: back, path }), name);
      t.equal(readFileSync(back, 'utf8'), name);
    }
  },
  failures: async (t, client, desk) => {
    const local = join(desk.place, 'refused');
    writeFileSync(local, 'refused');
    const fails = async (what: string, finished: Promise<Finished>): Promise<void> => {
      const { status, stderr, stdout } = await finished;
      t.ok(status !== null && status !== 0, `${what}: ${status} ${stderr}${stdout}`);
    };
    await fails('nothing there', client.get(desk, { local: join(desk.place, 'none'), path: 'nothing' }));
    await fails('no directory', client.put(desk, { local, path: 'no/such/place' }));
    await fails('not allowed', client.put(desk, { local, path: own(client, 'no'), user: 'reader' }));
    t.notOk(statSync(desk.server.stored(own(client, 'no'), 'reader'), { throwIfNoEntry: false }));
    t.match(
      desk.server.records().findLast(({ operation }) => operation === 'upload'),
      { user: 'reader', outcome: 'refused', error: 'PERMISSION_DENIED' },
    );
  },
};

function makeTree(desk: Desk, name: string): string {
  const tree = join(desk.place, name);
  mkdirSync(join(tree, 'a', 'b', 'empty'), { recursive: true });
  writeFileSync(join(tree, 'top'), 'top');
  for (let index = 0; index < 20; index += 1)
    writeFileSync(join(tree, 'a', `file${index}`), `content ${index}`);
  writeRandom(join(tree, 'a', 'b', 'large'), 1_000_000);
  return tree;
}

function copyTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) copyTree(join(from, entry.name), join(to, entry.name));
    else writeFileSync(join(to, entry.name), readFileSync(join(from, entry.name)));
  }
}

function sameTrees(t: Test, one: string, other: string): void {
  const list = (place: string): string[] => readdirSync(place, { recursive: true, encoding: 'utf8' }).sort();
  t.strictSame(list(other), list(one));
  for (const name of list(one)) {
    if (statSync(join(one, name)).isFile())
      t.ok(readFileSync(join(one, name)).equals(readFileSync(join(other, name))), name);
  }
}

t.test('clients of SCP', { timeout: 240_000 }, async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'scpd-scp-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const server = await startServer(t, { users: { reader: { preset: 'read-only' } } });
  const desk = await setDesk(server, place);
  for (const client of scpClients) {
    const skip = missing(client.program);
    if (skip !== false) {
      await t.test(client.name, { skip }, async () => undefined);
      continue;
    }
    const version = await versionOf(client);
    for (const [behaviour, act] of Object.entries(behaviours)) {
      const lack = client.lacks?.[behaviour as keyof typeof client.lacks];
      const facts = { protocol: 'SCP', client: version, preset: 'full', action: behaviour } as const;
      if (lack !== undefined) {
        noteClient({ ...facts, works: false, why: lack });
        continue;
      }
      await t.test(`${client.name}: ${behaviour}`, async (t) => {
        await act(t, client, desk);
        noteClient({ ...facts, works: t.passing() });
        if (behaviour === 'special names' && client.hardNames !== undefined)
          noteClient({ ...facts, action: 'wildcards in names', works: false, why: client.hardNames.why });
      });
    }
  }
  t.strictSame(server.staged(), [], 'nothing is left behind');
});
