/**
 * Goal: a new process takes over and nobody notices: no connection is refused, no transfer breaks, every count and right goes
 * on, and what fails on the way leaves the old process as it was.
 */
import t, { type Test } from 'tap';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { ServerStatus } from '../../src/observe/status.ts';
import { runCli } from '../support/cli.ts';
import { missing } from '../support/clients.ts';
import { sha256Of, writeRandom } from '../support/content.ts';
import { journalProblems } from '../support/journal.ts';
import { holdSession } from '../support/processes/held-session.ts';
import { Load, wasRefused } from '../support/processes/load.ts';
import { isProcessThere as isThere, signal, until } from '../support/processes/until.ts';
import { below, isSoak, noteProcesses, rounds } from '../support/processes/process-rows.ts';
import { remote, startServer, type TestServer } from '../support/server.ts';

const skip = missing('scp');
const restarts = rounds({ few: 2, all: 20 });
if (isSoak) t.setTimeout(30 * 60_000);

function makePlace(t: Test): string {
  const place = mkdtempSync(join(tmpdir(), 'scpd-restart-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  return place;
}

async function statusOf(server: TestServer): Promise<ServerStatus> {
  return JSON.parse((await runCli(['status', '--json'], server.place)).stdout) as ServerStatus;
}

t.test(`${restarts} restarts under load`, { skip }, async (t) => {
  const server = await startServer(t, { settings: { workers: 2 } });
  const load = new Load(server, makePlace(t), {
    clients: 4,
    fileBytes: 2_000_000,
    kilobitsPerSecond: 12_000,
  });
  await load.start();
  const processes: number[] = [];
  for (let round = 0; round < restarts; round += 1) {
    processes.push(server.pid, ...server.workers);
    await pause(below(1000));
    await server.restart();
    t.notOk(processes.includes(server.pid), 'another process serves');
  }
  const transfers = await load.stop();
  t.comment(`${transfers.length} transfers`);
  t.ok(transfers.length > restarts * 2);
  t.strictSame(
    transfers.filter(wasRefused).map(({ stderr }) => stderr),
    [],
    'nobody is refused',
  );
  t.strictSame(
    transfers.filter(({ status }) => status !== 0).map(({ stderr }) => stderr),
    [],
    'no transfer breaks',
  );
  t.strictSame(
    transfers.filter(({ isExact }) => isExact !== true),
    [],
    'every byte is there',
  );
  await until(() => !processes.some(isThere), 'the end of all old processes');
  const { connections, workers, users } = await statusOf(server);
  t.same({ connections, workers: workers.length }, { connections: [], workers: 2 });
  t.equal(users[0]?.connections, 0, 'every seat was given back');
  t.strictSame(server.staged(), []);
  const ended = await runCli(['stop'], server.place);
  t.equal(ended.exitCode, 0, ended.stderr);
  t.strictSame(await journalProblems(join(server.place, 'var/audit')), []);
  t.strictSame(
    server.records().filter(({ error }) => error === 'INTERRUPTED'),
    [],
  );
  t.notMatch(server.log, /"level":[56]0/);
  noteProcesses({ event: 'The daemon is restarted', rounds: restarts, transfers, left: 0 });
});

/** Says hello as a client does, at once; resolves with whether the server's first key exchange message came. */
async function knock(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  socket.write('SSH-2.0-knock\r\n');
  const isServed = await new Promise<boolean>((resolve) => {
    let bytes = 0;
    socket.on('data', (chunk) => {
      bytes += chunk.length;
      if (bytes > 500) resolve(true);
    });
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
  });
  socket.destroy();
  return isServed;
}

t.test('who comes in the moment of a restart is served', async (t) => {
  const server = await startServer(t, { settings: { workers: 1 } });
  const outcomes: boolean[] = [];
  const over = new AbortController();
  const knocking = Array.from({ length: 8 }, async () => {
    while (!over.signal.aborted) outcomes.push(await knock(server.port));
  });
  for (let round = 0; round < 2; round += 1) await server.restart();
  over.abort();
  await Promise.all(knocking);
  t.comment(`${outcomes.length} connections`);
  t.equal(outcomes.filter((isServed) => !isServed).length, 0);
});

t.test('counts, rights and records go on', { skip }, async (t) => {
  const server = await startServer(t, {
    settings: { workers: 2 },
    limits: { connectionsPerUser: 1 },
    users: { box: { preset: 'drop-box' }, capped: {} },
  });
  const place = makePlace(t);
  const file = join(place, 'file');
  writeRandom(file, 1000);
  writeFileSync(
    join(server.place, 'config/scpd.json'),
    readFileSync(join(server.place, 'config/scpd.json'), 'utf8').replace(
      '"connectionsPerUser": 1',
      '"connectionsPerUser": 2',
    ),
  );
  t.equal((await server.sftp(`put ${file} before\n`, 'box')).status, 0);
  const old = holdSession(server, 'box');
  await old.run(`put ${file} begun`);
  const first = server.pid;
  await server.restart();
  t.equal((await server.sftp('rename before before.done\n', 'box')).status, 0, 'made before, and still own');
  await old.run(`put ${file} in-old`);
  t.equal((await server.sftp('rename in-old in-old.done\n', 'box')).status, 0, 'made in the old process');
  const fresh = holdSession(server, 'box');
  await fresh.run(`put ${file} in-new`);
  await old.run('rename in-new in-new.done');
  t.ok(existsSync(server.stored('in-new.done', 'box')), 'made in the new process, renamed in the old');
  t.match((await statusOf(server)).users, [{ name: 'demo' }, { name: 'box', connections: 2 }]);
  t.not((await server.sftp('pwd\n', 'box')).status, 0, 'both processes count, under the new limit');
  await old.run('rename begun begun.done');
  t.equal(await old.end(), 0);
  await until(() => !isThere(first), 'the end of the old process');
  t.equal((await server.sftp('pwd\n', 'box')).status, 0, 'a place became free');
  t.equal(await fresh.end(), 0);
  for (const name of ['before', 'in-old', 'in-new', 'begun'])
    t.equal(await sha256Of(server.stored(`${name}.done`, 'box')), await sha256Of(file), name);
  await runCli(['stop'], server.place);
  t.strictSame(await journalProblems(join(server.place, 'var/audit')), []);
});

t.test('what fails leaves the old process as it was', { skip }, async (t) => {
  const server = await startServer(t, { settings: { workers: 1 } });
  const place = makePlace(t);
  const config = join(server.place, 'config/scpd.json');
  const good = readFileSync(config, 'utf8');
  const file = join(place, 'file');
  writeRandom(file, 4_000_000);
  const first = server.pid;
  const slow = server.scp('scp', ['-l', '8000', file, remote('slow')]);
  await until(() => server.staged().length === 1, 'the upload');
  const restart = () => runCli(['restart'], server.place);

  writeFileSync(config, good.replace('"audit"', '"audlt"'));
  t.match(await restart(), { exitCode: 1, stderr: /scpd\.json:\d+:\d+ audlt: unknown key "audlt"/ });
  writeFileSync(config, good.replace('../var/audit', '../var/elsewhere'));
  t.match(await restart(), { exitCode: 1, stderr: /audit\.dir: .*only when it is stopped and started/ });
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => taken.close());
  await until(() => taken.listening, 'a port');
  const { port } = taken.address() as { readonly port: number };
  writeFileSync(config, good.replace('"port": 0', `"port": ${port}`));
  t.match(await restart(), { exitCode: 1, stderr: /EADDRINUSE/ });
  writeFileSync(config, good);

  for (let round = 0; round < rounds({ few: 2, all: 20 }); round += 1) {
    const restarting = restart();
    // Of a process that has just begun the command is not known at once; and 0 would be everybody.
    const found = (): number | undefined => server.workers.find((pid) => /serve/.test(commandOf(pid)));
    await until(() => found() !== undefined, 'the new process');
    const successor = found();
    if (successor === undefined) throw new Error('the new process has ended by itself');
    await pause(below(1800));
    let wasKilled = true;
    try {
      if (server.pid === first) signal(successor, 'SIGKILL');
    } catch {
      wasKilled = false;
    }
    const { exitCode, stdout } = await restarting;
    // It may have been quick.
    if (exitCode === 0) {
      t.match(stdout, String(successor));
      server.follow(successor);
      break;
    }
    t.ok(wasKilled);
    t.match(await server.scp('sftp', [file, remote(`after-${round}`)]), { status: 0 });
  }
  const { status, stderr } = await slow;
  t.ok(status === 0 || server.pid !== first, stderr);
});

t.test('a stop during a restart ends all', { skip }, async (t) => {
  const server = await startServer(t, { settings: { workers: 1 } });
  const restarting = runCli(['restart'], server.place);
  await until(() => server.workers.length > 1, 'the new process');
  const processes = [server.pid, ...server.workers];
  t.match(await runCli(['stop'], server.place), { exitCode: 0, stdout: 'stopped\n' });
  t.match(await restarting, { exitCode: 1, stderr: /the server is stopping/ });
  await until(() => !processes.some(isThere), 'the end of all processes');
  t.same(await server.end('SIGKILL'), { status: 0, signal: null });
});

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

for (const victim of ['old', 'new'] as const) {
  t.test(`the ${victim} supervisor is killed while both have connections`, { skip }, async (t) => {
    const server = await startServer(t, { settings: { workers: 2 } });
    const place = makePlace(t);
    const file = join(place, 'file');
    writeRandom(file, 5_000_000);
    const inOld = server.scp('scp', ['-l', '1500', file, remote('in-old')]);
    await until(() => server.staged().length === 1, 'the upload');
    const old = server.pid;
    const processes = [old, ...server.workers];
    await server.restart();
    processes.push(...server.workers);
    const inNew = server.scp('sftp', ['-l', '16000', file, remote('in-new')]);
    await until(() => server.staged().length === 2, 'the other upload');
    if (victim === 'old') signal(old, 'SIGKILL');
    else await server.end('SIGKILL');
    t.not((await inOld).status, 0, 'its client knows');
    if (victim === 'old') {
      t.equal((await inNew).status, 0);
      t.equal(await sha256Of(server.stored('in-new')), await sha256Of(file));
      await until(() => server.staged().length === 0, 'what was left is swept');
      t.match((await statusOf(server)).connections, []);
      await runCli(['stop'], server.place);
    } else {
      t.not((await inNew).status, 0);
      await until(() => !processes.some(isThere), 'the end of all processes');
      await server.start();
      t.equal((await server.scp('scp', [file, remote('in-new')])).status, 0);
      await server.end('SIGTERM');
    }
    t.notOk(existsSync(server.stored('in-old')));
    t.strictSame(server.staged(), []);
    t.strictSame(processes.filter(isThere), []);
    t.strictSame(await journalProblems(join(server.place, 'var/audit')), []);
  });
}
