/**
 * Goal: kill -9 of workers and of the supervisor at random moments, and configurations that can't be used, harm nobody but
 * those whose process it was: the bytes of all others are exact, the service is back at once, nothing is left over.
 */
import t, { type Test } from 'tap';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { ServerStatus } from '../../src/observe/status.ts';
import { runCli } from '../support/cli.ts';
import { missing } from '../support/clients.ts';
import { writeRandom } from '../support/content.ts';
import { journalProblems } from '../support/journal.ts';
import { isWrong, Load, wasRefused, type Transfer } from '../support/processes/load.ts';
import { below, isSoak, noteProcesses, rounds, seed } from '../support/processes/process-rows.ts';
import { isProcessThere, signal, until } from '../support/processes/until.ts';
import { remote, startServer, type TestServer } from '../support/server.ts';

const skip = missing('scp');
if (isSoak) t.setTimeout(60 * 60_000);

interface Site {
  readonly server: TestServer;
  readonly load: Load;
  /** A small file, to see whether there is service. */
  readonly probe: string;
}

async function startSite(t: Test, clients: number): Promise<Site> {
  const place = mkdtempSync(join(tmpdir(), 'scpd-kills-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const server = await startServer(t, {
    settings: { workers: 3 },
    users: { quoted: { quota: { bytes: '100GB', files: 1_000_000 } } },
  });
  const load = new Load(server, place, {
    clients,
    fileBytes: 1_500_000,
    kilobitsPerSecond: 12_000,
    user: 'quoted',
  });
  await load.start();
  const probe = join(place, 'probe');
  writeRandom(probe, 1000);
  return { server, load, probe };
}

/** How long it is until a client succeeds. */
async function backMs({ server, probe }: Site): Promise<number> {
  return await until(
    async () => (await server.scp('sftp', [probe, remote('probe')])).status === 0,
    'service',
  );
}

function claimedBytes(status: ServerStatus | undefined): number {
  return (status?.users ?? []).reduce((sum, { usage }) => sum + (usage?.reservedBytes ?? 0), 0);
}

/** Uploads that can be gone on with; they are claimed on purpose. */
function keptBytes(server: TestServer): number {
  const directory = server.stored('.scpd/partial', 'quoted');
  if (!existsSync(directory)) return 0;
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

/** What is still there of what has ended: the answer is how much, which must be 0. */
async function leftOver(t: Test, { server }: Site, killed: readonly number[]): Promise<number> {
  await until(() => server.staged('quoted').length === 0, 'the end of what was staged').catch(() => 0);
  await until(() => !killed.some(isProcessThere), 'the end of the processes').catch(() => 0);
  let status: ServerStatus | undefined;
  const isClear = async (): Promise<boolean> => {
    status = JSON.parse((await runCli(['status', '--json'], server.place)).stdout) as ServerStatus;
    return status.connections.length === 0 && claimedBytes(status) === keptBytes(server);
  };
  await until(isClear, 'the end of claims and connections').catch(() => 0);
  const left = {
    processes: killed.filter(isProcessThere),
    staged: server.staged('quoted'),
    connections: status?.connections,
    claimed: claimedBytes(status) === keptBytes(server) ? [] : [claimedBytes(status)],
    seats: status?.users.filter(({ connections }) => connections > 0),
  };
  const none = { processes: [], staged: [], connections: [], claimed: [], seats: [] };
  t.strictSame(left, none, 'nothing is left over');
  return Object.values(left).reduce((sum, values) => sum + (values?.length ?? 0), 0);
}

function checkTransfers(t: Test, transfers: readonly Transfer[], killedMs: readonly number[]): void {
  t.strictSame(transfers.filter(isWrong), [], 'what is done is there, byte for byte, and nothing half');
  const broken = transfers.filter((one) => one.status !== 0 && !wasRefused(one));
  const innocent = broken.filter(
    ({ beganMs, endedMs }) => !killedMs.some((at) => at >= beganMs - 50 && at <= endedMs),
  );
  t.strictSame(innocent, [], 'only what was under way at a kill is broken');
  t.ok(broken.length < transfers.length);
  t.comment(`${transfers.length} transfers, ${broken.length} broken, SCPD_SOAK_SEED=${seed}`);
}

const workerKills = rounds({ few: 3, all: 60 });

t.test(`${workerKills} workers are killed under load`, { skip }, async (t) => {
  const site = await startSite(t, 5);
  const { server, load } = site;
  const [killed, killedMs]: [number[], number[]] = [[], []];
  let backMsMax = 0;
  for (let round = 0; round < workerKills; round += 1) {
    await pause(below(700));
    const { workers } = server;
    const victim = workers[below(workers.length)] ?? 0;
    signal(victim, 'SIGKILL');
    killed.push(victim);
    killedMs.push(performance.now());
    backMsMax = Math.max(backMsMax, await backMs(site));
    await until(() => server.workers.filter((pid) => pid !== victim).length === 3, 'another worker');
  }
  const transfers = await load.stop();
  checkTransfers(t, transfers, killedMs);
  t.strictSame(transfers.filter(wasRefused), [], 'nobody is refused');
  t.comment(`back after ${Math.round(backMsMax)} ms at most`);
  const left = await leftOver(t, site, killed);
  t.equal((await runCli(['stop'], server.place)).exitCode, 0);
  t.strictSame(await journalProblems(join(server.place, 'var/audit')), []);
  noteProcesses({ event: 'A worker is killed', rounds: workerKills, transfers, backMsMax, left });
});

const supervisorKills = rounds({ few: 1, all: 10 });

t.test(`the supervisor is killed ${supervisorKills} times under load`, { skip }, async (t) => {
  const site = await startSite(t, 4);
  const { server, load } = site;
  const config = join(server.place, 'config/scpd.json');
  // The clients know one port.
  writeFileSync(config, readFileSync(config, 'utf8').replace('"port": 0', `"port": ${server.port}`));
  const [killed, killedMs]: [number[], number[]] = [[], []];
  let backMsMax = 0;
  for (let round = 0; round < supervisorKills; round += 1) {
    await pause(500 + below(700));
    killed.push(server.pid, ...server.workers);
    const killedAtMs = performance.now();
    killedMs.push(killedAtMs);
    await server.end('SIGKILL');
    await server.start(); // as a service manager does
    await backMs(site);
    backMsMax = Math.max(backMsMax, performance.now() - killedAtMs);
  }
  const transfers = await load.stop();
  checkTransfers(t, transfers, killedMs);
  t.comment(`back after ${Math.round(backMsMax)} ms at most, the start of Node included`);
  const left = await leftOver(t, site, killed);
  t.equal((await runCli(['stop'], server.place)).exitCode, 0);
  t.strictSame(await journalProblems(join(server.place, 'var/audit')), []);
  noteProcesses({ event: 'The supervisor is killed', rounds: supervisorKills, transfers, backMsMax, left });
});

t.test('20 bad reloads under load', { skip }, async (t) => {
  const site = await startSite(t, 3);
  const { server, load } = site;
  const config = join(server.place, 'config/scpd.json');
  const good = readFileSync(config, 'utf8');
  const bad = [
    good.replace('"audit"', '"audlt"'),
    good.slice(0, good.length / 2),
    good.replace('"full"', '"fool"'),
    '',
    good.replace('../keys/users/demo', '../keys/users/nobody'),
  ];
  const refusals = (): number => server.log.split('not reloaded; everything stays').length - 1;
  const { workers } = server;
  for (let round = 0; round < 20; round += 1) {
    writeFileSync(config, bad[round % bad.length] ?? '');
    signal(server.pid, 'SIGHUP');
    await until(() => refusals() === round + 1, `refusal ${round + 1}`);
    const { length: before } = load.transfers;
    await until(() => load.transfers.length > before, 'the end of a transfer after it');
  }
  writeFileSync(config, good);
  t.strictSame(server.workers, workers, 'all goes on as it was');
  const transfers = await load.stop();
  checkTransfers(t, transfers, []);
  t.match(server.log, /scpd\.json:\d+:\d+ audlt: unknown key/);
  const told = server
    .records()
    .filter(({ operation, error }) => operation === 'config' && error !== undefined);
  t.equal(told.length, 20, 'each is in the journal');
  const left = await leftOver(t, site, []);
  noteProcesses({ event: 'A reload with a bad configuration', rounds: 20, transfers, left });
});
