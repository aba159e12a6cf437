/**
 * Records the wire of every SCP client: `make transcripts` runs this, and the files in test/transcripts/ are written anew.
 * `test/protocol/scp/transcripts.test.ts` replays them.
 */
import t from 'tap';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missing } from './clients.ts';
import { RecordingServer } from './recording-server.ts';
import { scpClients, setDesk, versionOf, type Desk, type ScpClientProgram } from './scp-clients.ts';
import { startServerOf } from './server.ts';

const directory = fileURLToPath(new URL('../transcripts', import.meta.url));
const dated = 1_111_111_111;

/** What is recorded of each client. All of it is small and always the same. */
async function recordAll(
  desk: Desk & { readonly server: RecordingServer },
  client: ScpClientProgram,
): Promise<void> {
  const { server, place } = desk;
  const version = await versionOf(client);
  const record = async (what: string, act: () => Promise<unknown>): Promise<void> => {
    server.next = { name: `${client.name}-${what.replaceAll(' ', '-')}`, comment: `${version}: ${what}` };
    await act();
    server.next = undefined;
  };
  const local = join(place, 'file');
  await record('upload', () => client.put(desk, { local, path: 'file' }));
  await record('download', () => client.get(desk, { local: join(place, 'back'), path: 'file' }));
  await record('upload a name', () => client.put(desk, { local, path: 'two words' }));
  await record('download nothing', () => client.get(desk, { local: join(place, 'none'), path: 'nothing' }));
  await record('upload nowhere', () => client.put(desk, { local, path: 'no/such/place' }));
  if (client.lacks?.['a tree up'] !== undefined) return;
  const flags = ['-r', '-p'] as const;
  const tree = { path: `tree-${client.name}`, flags };
  await record('upload a tree', () => client.put(desk, { local: join(place, 'tree'), ...tree }));
  await record('download a tree', () =>
    client.get(desk, { local: join(place, `back-${client.name}`), ...tree }),
  );
}

t.test('recording', { timeout: 110_000 }, async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'scpd-record-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const server = await startServerOf(t, (at) => new RecordingServer(at, directory));
  const desk = { ...(await setDesk(server, place)), server };
  writeFileSync(join(place, 'file'), 'line\nand bytes \0\xff', 'latin1');
  mkdirSync(join(place, 'tree', 'inner'), { recursive: true });
  writeFileSync(join(place, 'tree', 'inner', 'file'), 'in a tree\n');
  for (const name of ['file', 'tree/inner/file', 'tree/inner', 'tree']) {
    chmodSync(join(place, name), name.endsWith('file') ? 0o640 : 0o750);
    utimesSync(join(place, name), dated, dated);
  }
  for (const client of scpClients) {
    const reason = missing(client.program);
    if (reason === false) await recordAll(desk, client);
    t.equal(reason, false, client.name);
  }
});
