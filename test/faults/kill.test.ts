/**
 * Goal: kill -9 of the server at any moment of an overwrite loop leaves the old file or the new one, whole, and the next
 * start finds and tells what there is. Method: one client overwrites one name again and again in one session; the server
 * is killed at a random moment between the login and long after; what stands there then must be what the journal says came
 * last, or what was under way.
 */
import t, { type Test } from 'tap';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { missing, type Finished } from '../support/clients.ts';
import { startFaultSite, type Attempt, type FaultSite } from '../support/faults/fault-site.ts';
import { below, isFullRun, newCounts, noteFault, rounds, seed } from '../support/faults/fault-table.ts';
import { ways, type Way } from '../support/faults/ways.ts';
import { journalProblems } from '../support/journal.ts';
import { remote } from '../support/server.ts';

const roundsOfWay = rounds({ few: 6, all: 200 });
const overwritesOfRound = 24;
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

async function killRound(
  t: Test,
  site: FaultSite,
  { way, round, pool }: Round,
): Promise<'old' | 'new' | 'half'> {
  const contents = Array.from({ length: overwritesOfRound }, () => pool[below(pool.length)] as Content);
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

  const done = uploadsDone(site) - doneBefore;
  const [last, next] = [done === 0 ? before : contents[done - 1]?.sha256, contents[done]?.sha256];
  const now = site.stored(name);
  const standing = now === last ? 'old' : now === next ? 'new' : 'half';
  t.not(standing, 'half', `round ${round}, after ${done} overwrites: the old file or the new one`);
  await site.server.start();
  t.equal(site.stored(name), now, 'a start changes no file');
  t.strictSame(await journalProblems(join(site.server.place, 'var/audit')), [], 'the journal is whole');
  return standing;
}

interface Round {
  readonly way: Way;
  readonly round: number;
  readonly pool: readonly Content[];
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

for (const way of ways) {
  const words = `${way.name}: ${roundsOfWay} kills, FAULTS_SEED=${seed}`;
  t.test(words, { skip: missing('scp') }, async (t) => {
    const site = await startFaultSite(t);
    await killWhileStaged(t, site, way);
    const pool = [150_000, 400_000, 1_000_000, 2_000_000].map((bytes) => site.content(bytes, name));
    const counts = newCounts();
    let leaks = 0;
    for (let round = 1; round <= roundsOfWay; round += 1) {
      counts[await killRound(t, site, { way, round, pool })] += 1;
      leaks += (await site.checkWhole(t, `round ${round}`)).leaked;
    }
    await site.checkServes(t);
    t.comment(`${way.name}: ${JSON.stringify(counts)}`);
    noteFault({
      group: 'The server is killed',
      fault: 'kill -9 at a random moment of an overwrite loop',
      way: way.name,
      rounds: roundsOfWay,
      counts,
      leaks,
    });
  });
}
