/** Goal: what happens to one process is no other's harm, and nobody waits for long. */
import t, { type Test } from 'tap';
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missing } from '../support/clients.ts';
import { sha256Of, writeRandom } from '../support/content.ts';
import { signal, until } from '../support/processes/until.ts';
import { remote, startServer, type TestServer } from '../support/server.ts';

const skip = missing('scp');
const misbehave = new URL('../support/misbehave.mjs', import.meta.url).href;

function makePlace(t: Test): string {
  const place = mkdtempSync(join(tmpdir(), 'scpd-faults-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  return place;
}

/** The process that has this file open for writing. */
function writerAmong(pids: readonly number[], directory: string): number | undefined {
  return pids.find((pid) => openFiles(pid).some((file) => file.startsWith(directory)));
}

function openFiles(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${name}`)];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

/** Uploads slowly, so that the upload is under way when something happens. */
function slowly(server: TestServer, protocol: 'scp' | 'sftp', file: string, name: string) {
  return server.scp(protocol, ['-l', '40000', file, remote(name)]);
}

for (const protocol of ['scp', 'sftp'] as const) {
  t.test(`a worker is killed in the middle of an upload (${protocol})`, { skip }, async (t) => {
    const server = await startServer(t, {
      settings: { workers: 2 },
      users: { quoted: { quota: { bytes: '100MB' } } },
    });
    const place = makePlace(t);
    const file = join(place, 'file');
    writeRandom(file, 8_000_000);
    const doomed = server.scp(protocol, ['-l', '40000', file, remote('doomed', 'quoted')]);
    await until(() => server.staged('quoted').length === 1, 'the upload');
    const spared = slowly(server, protocol, file, 'spared');
    await until(() => server.staged().length === 1, 'the other upload');
    const victim = writerAmong(server.workers, server.stored('.scpd/staging', 'quoted'));
    t.not(victim, undefined);
    signal(victim, 'SIGKILL');
    t.not((await doomed).status, 0, 'its client knows');
    const again = await server.scp(protocol, [file, remote('again', 'quoted')]);
    t.equal(again.status, 0, again.stderr);
    t.equal(await sha256Of(server.stored('again', 'quoted')), await sha256Of(file));
    const other = await spared;
    t.equal(other.status, 0, other.stderr);
    t.equal(
      await sha256Of(server.stored('spared')),
      await sha256Of(file),
      'not a byte of the other is wrong',
    );
    await until(() => server.staged('quoted').length === 0, 'what it had staged is removed');
    await until(() => server.workers.length === 2, 'there is a new one');
    // What the dead one had claimed is given back after its place was looked at.
    let df = '';
    for (let round = 0; round < 50 && !/\b781[23]\b/.test(df); round += 1)
      df = (await server.ssh(['df', '/'], 'quoted')).stdout;
    t.match(df, /\b781[23]\b/, 'only what is stored counts: the claim of the dead is gone');
    t.match(server.log, /a worker died/);
  });
}

for (const [deed, words] of [
  ['spin', /a worker hangs; it is killed/],
  ['leak', /a worker takes too much memory; it makes way/],
  ['throw', /on purpose/],
] as const) {
  t.test(`a worker is made to ${deed}`, { skip }, async (t) => {
    process.env['SCPD_MISBEHAVE'] = deed;
    const server = await startServer(t, {
      settings: { workers: 2 },
      limits: { workerSilenceSeconds: 5, workerMemoryMax: '200MiB' },
      preload: misbehave,
    });
    const place = makePlace(t);
    const file = join(place, 'file');
    writeRandom(file, 500_000);
    const [victim = 0] = server.workers;
    signal(victim, 'SIGUSR2');
    for (let round = 0; round < 8; round += 1) {
      const sent = await server.scp(round % 2 === 0 ? 'scp' : 'sftp', [file, remote(`file-${round}`)]);
      t.equal(sent.status, 0, sent.stderr);
      t.equal(await sha256Of(server.stored(`file-${round}`)), await sha256Of(file));
    }
    await until(() => !server.workers.includes(victim) && server.workers.length === 2, 'it is replaced');
    t.match(server.log, words);
    t.same(await server.end('SIGTERM'), { status: 0, signal: null });
  });
}

t.test('the supervisor is killed: no process stays, nor does one that hangs', { skip }, async (t) => {
  process.env['SCPD_MISBEHAVE'] = 'spin';
  const server = await startServer(t, { settings: { workers: 3 }, preload: misbehave });
  const place = makePlace(t);
  const file = join(place, 'file');
  writeRandom(file, 8_000_000);
  const sending = slowly(server, 'sftp', file, 'file');
  await until(() => server.staged().length === 1, 'the upload');
  const { workers } = server;
  t.equal(workers.length, 3);
  const busy = writerAmong(workers, server.stored('.scpd/staging'));
  const idle = workers.filter((pid) => pid !== busy);
  signal(idle[0], 'SIGUSR2');
  await server.end('SIGKILL');
  t.not((await sending).status, 0);
  await until(() => workers.every((pid) => !existsSync(`/proc/${pid}`)), 'the end of the workers');
  await server.start();
  t.strictSame(server.staged(), []);
  const again = await server.scp('scp', [file, remote('file')]);
  t.equal(again.status, 0, again.stderr);
});
