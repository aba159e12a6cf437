/**
 * Goal: kill -9 of the server at any moment of an overwrite loop leaves the old file or the new one, whole, and the next
 * start finds and tells what there is. Method: one client overwrites one name again and again in one session; the server
 * is killed at a random moment between the login and long after; what stands there then must be what the journal says came
 * last, or what was under way.
 */
import t, { type Test } from 'tap';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { missing, type Finished } from '../support/clients.ts';
import { startFaultSite, users, type Attempt, type FaultSite } from '../support/faults/fault-site.ts';
import { below, isFullRun, newCounts, noteFault, rounds, seed } from '../support/faults/fault-table.ts';
import { ways, type Way } from '../support/faults/ways.ts';
import { journalProblems } from '../support/journal.ts';
import { remote } from '../support/server.ts';

const roundsKeeping = { nothing: rounds({ few: 6, all: 200 }), versions: rounds({ few: 6, all: 60 }) };
const overwritesOfRound = 24;
const sizesBytes = [150_000, 400_000, 1_000_000, 2_000_000];
const name = 'kept';
if (isFullRun) t.setTimeout(2 * 3_600_000);

interface Content {
  readonly file: string;
  readonly sha256: string;
}

/** Overwrites `kept` with each of the files in one session. */
function overwriteAll(site: FaultSite, way: Way, contents: readonly Content[]): Promise<Finished> {
  const files = contents.map(({ file }) => file);
  if (way.name === 'sftp put') return site.server.sftp(files.map((file) => `put ${file} ${name}\n`).join(''));
  return site.server.scp(way.protocol === 'SCP' ? 'scp' : 'sftp', [...files, remote('.')]);
}

/** What the client was told of each: by its exit status, and where it works by batch, by having gone on. */
function noteTold(attempts: readonly Attempt[], way: Way, { status, stdout }: Finished): void {
  const begun = stdout.split('\n').filter((line) => line.startsWith('sftp> put')).length;
  const told = status === 0 ? attempts.length : way.name === 'sftp put' ? Math.max(0, begun - 1) : 0;
  for (const attempt of attempts.slice(0, told)) attempt.acknowledged = true;
}

function uploadsDone(site: FaultSite): number {
  return site.uploads().filter((one) => one.path === `/${name}`).length;
}

/** Until the first overwrite of the round is under way: from here on a moment is one of the loop, not of the login. */
async function untilBegun(site: FaultSite, finished: Promise<Finished>): Promise<void> {
  const file = site.server.stored(name);
  const { ino } = statSync(file);
  const isBegun = (): boolean => site.server.staged().length > 0 || statSync(file).ino !== ino;
  const begun = (async () => {
    for (let waitedMs = 0; waitedMs < 20_000 && !isBegun(); waitedMs += 3) await pause(3);
  })();
  await Promise.race([begun, finished]);
}

async function killRound(t: Test, site: FaultSite, { way, round }: Round): Promise<'old' | 'new' | 'half'> {
  // No two alike: what stands there tells which it was.
  const contents = Array.from({ length: overwritesOfRound }, () =>
    site.content(sizesBytes[below(sizesBytes.length)] as number, name),
  );
  const [before, doneBefore] = [site.stored(name), uploadsDone(site)];
  const attempts = contents.map(({ sha256 }) =>
    site.note({ user: 'demo', path: name, sha256, protocol: way.protocol, acknowledged: false }),
  );
  const sending = overwriteAll(site, way, contents);
  // Most moments are of the loop; some are of the login, the first and the last overwrite.
  if (round % 8 !== 0) await untilBegun(site, sending);
  await pause(below(round % 8 === 0 ? 600 : 900));
  await site.server.end('SIGKILL');
  noteTold(attempts, way, await sending);

  for (const { file } of contents) rmSync(dirname(file), { recursive: true });

  const done = uploadsDone(site) - doneBefore;
  const now = site.stored(name);
  const last = done === 0 ? before : contents[done - 1]?.sha256;
  // SFTP tells its client of each file, which waits for the record; SCP of all by the exit status, so that more than one may
  // have come since the journal was written.
  const later = contents.slice(done, way.protocol === 'SFTP' ? done + 1 : undefined);
  const standing = now === last ? 'old' : later.some(({ sha256 }) => sha256 === now) ? 'new' : 'half';
  t.not(standing, 'half', `round ${round}, after ${done} overwrites: the old file or a new one`);
  await site.server.start();
  t.equal(site.stored(name), now, 'a start changes no file');
  t.strictSame(await journalProblems(join(site.server.place, 'var/audit')), [], 'the journal is whole');
  return standing;
}

interface Round {
  readonly way: Way;
  readonly round: number;
}

/** One whose moment is known: what it leaves is swept, and the log says so. */
async function killWhileStaged(t: Test, site: FaultSite, way: Way): Promise<void> {
  const { server } = site;
  const before = (await site.put(way, name)).sha256;
  const { file, sha256 } = site.content(60_000_000);
  site.note({ user: 'demo', path: name, sha256, protocol: way.protocol, acknowledged: false });
  const sending = way.put(server, file, name);
  await untilBegun(site, sending);
  t.equal(server.staged().length, 1, 'the upload is under way');
  t.same(await server.end('SIGKILL'), { status: null, signal: 'SIGKILL' });
  t.not((await sending).status, 0, 'the client knows');
  t.equal(site.stored(name), before);
  await server.start();
  t.match(server.log, /removed uploads that a crash had left unfinished/);
}

const plans = [
  ...ways.map((way) => ({ way, keeps: 'nothing' as const })),
  // An overwrite that keeps the old file as a version takes more steps; one protocol has them all.
  ...ways.slice(0, isFullRun ? ways.length : 1).map((way) => ({ way, keeps: 'versions' as const })),
];

for (const { way, keeps } of plans) {
  const roundsOfWay = roundsKeeping[keeps];
  const words = `${way.name}: ${roundsOfWay} kills, keeping ${keeps}, FAULTS_SEED=${seed}`;
  t.test(words, { skip: missing('scp') }, async (t) => {
    const demo = {
      ...users.demo,
      ...(keeps === 'versions' ? { preset: 'backup', versions: { keep: 5 } } : {}),
    };
    const site = await startFaultSite(t, { users: { ...users, demo } });
    await killWhileStaged(t, site, way);
    const counts = newCounts();
    let leaks = 0;
    for (let round = 1; round <= roundsOfWay; round += 1) {
      counts[await killRound(t, site, { way, round })] += 1;
      leaks += (await site.checkWhole(t, `round ${round}`)).leaked;
    }
    if (keeps === 'versions') checkVersions(t, site);
    await site.checkServes(t);
    t.comment(`${way.name}: ${JSON.stringify(counts)}`);
    noteFault({
      group: 'The server is killed',
      fault: `kill -9 at a random moment of an overwrite loop${keeps === 'versions' ? ' that keeps versions' : ''}`,
      way: way.name,
      rounds: roundsOfWay,
      counts,
      leaks,
    });
  });
}

/** Each is one that was sent, whole; and there are no more than are kept. */
function checkVersions(t: Test, site: FaultSite): void {
  const directory = site.server.stored(`.scpd/versions/${name}`);
  const kept = readdirSync(directory).map((one) => site.stored(`.scpd/versions/${name}/${one}`));
  t.ok(kept.length > 0 && kept.length <= 6, `${kept.length} versions`);
  t.ok(
    kept.every((sha256) => sha256 !== undefined && site.wasSent(sha256)),
    'each of them was sent',
  );
}
