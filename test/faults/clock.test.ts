/**
 * Goal: a wall clock that jumps back or forward while the server runs breaks no upload, gives nobody more rights, ends no
 * retention, and leaves the order of the journal that of what happened.
 */
import t, { type Test } from 'tap';
import { missing } from '../support/clients.ts';
import { startFaultSite, type FaultSite } from '../support/faults/fault-site.ts';
import { isFullRun, newCounts, noteFault } from '../support/faults/fault-table.ts';
import { ways } from '../support/faults/ways.ts';

const skip = missing('scp') || missing('gcc');
if (isFullRun) t.setTimeout(3_600_000);
const dayMs = 24 * 3_600_000;
const jumps = [
  { fault: 'the clock is set back by a year', ms: -365 * dayMs },
  { fault: 'the clock is set forward by a year', ms: 365 * dayMs },
  { fault: 'the clock is right again', ms: 0 },
] as const;

const users = {
  demo: { quota: { bytes: '1GiB', files: 10_000 } },
  free: { retain: '2d' },
  box: { preset: 'drop-box' },
};

/** One upload by each way, and what the journal says of when. */
async function upload(t: Test, site: FaultSite, { fault, ms }: (typeof jumps)[number]): Promise<void> {
  for (const way of ways) {
    const before = site.stored('kept');
    const sent = await site.put(way, 'kept');
    const words = `${fault}, ${way.name}`;
    t.equal(sent.status, 0, `${words}: ${sent.stderr}`);
    const counts = newCounts();
    const standing = site.standing('kept', { before, came: sent.sha256 });
    counts[standing] += 1;
    t.equal(standing, 'new', words);
    const last = site.uploads().at(-1);
    t.equal(last?.sha256, sent.sha256, `${words}: the last record`);
    const offMs = Date.parse(last?.time ?? '') - Date.now() - ms;
    t.ok(Math.abs(offMs) < dayMs, `${words}: its time is that of the clock`);
    const { leaked } = await site.checkWhole(t, words);
    noteFault({ group: 'The clock jumps', fault, way: way.name, rounds: 1, counts, leaks: leaked });
  }
}

/** What is retained stays, whatever the clock says now, and under each name that it is given. */
async function tryToRemove(t: Test, site: FaultSite, words: string): Promise<void> {
  for (const commands of ['rm held', 'rename held gone\nrm gone']) {
    const { status } = await site.server.sftp(`${commands}\n`, 'free');
    t.not(status, 0, `${words}: ${commands} is refused`);
    t.match(await site.server.newest('remove'), { outcome: 'refused', error: 'RETAINED' }, words);
  }
  t.equal((await site.server.sftp('rename gone held\n', 'free')).status, 0);
  t.ok(site.stored('held', 'free'), `${words}: it is still there`);
}

t.test('while it runs', { skip }, async (t) => {
  const site = await startFaultSite(t, { users });
  t.equal((await site.put(ways[0] as (typeof ways)[0], 'held', { user: 'free' })).status, 0);
  t.equal((await site.put(ways[0] as (typeof ways)[0], 'own', { user: 'box' })).status, 0);
  for (const jump of jumps) {
    site.faults.setClock(jump.ms);
    await tryToRemove(t, site, jump.fault);
    await upload(t, site, jump);
  }
  const own = await site.server.sftp('rm own\n', 'box');
  t.equal(own.status, 0, `what a sender may do for ten minutes, no jump has ended: ${own.stderr}`);
  await site.checkServes(t);
});

t.test('a server that is started while the clock is behind', { skip }, async (t) => {
  const site = await startFaultSite(t, { users });
  await site.server.end('SIGTERM');
  site.faults.setClock(-365 * dayMs);
  await site.server.start();
  t.equal((await site.put(ways[0] as (typeof ways)[0], 'held', { user: 'free' })).status, 0);
  await tryToRemove(t, site, 'a clock that is behind');
  site.faults.setClock(0);
  await tryToRemove(t, site, 'a clock that is right again');
  await upload(t, site, { fault: 'the clock is right again', ms: 0 });
  await site.server.end('SIGTERM');
  await site.server.start();
  await tryToRemove(t, site, 'after another start');
  await site.checkServes(t);
});
