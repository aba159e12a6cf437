/**
 * Goal: a server that has no descriptor left, wherever in an upload that happens, answers with an error and the old file,
 * leaks nothing, and works again as soon as there are some. Method: the limit of the running server is set to so many
 * more than it has open at rest, from none up to where everything works.
 */
import t from 'tap';
import { missing, run } from '../support/clients.ts';
import { startFaultSite } from '../support/faults/fault-site.ts';
import { isFullRun, newCounts, noteFault } from '../support/faults/fault-table.ts';
import { ways } from '../support/faults/ways.ts';

const skip = missing('scp') || missing('prlimit') || missing('gcc');
if (isFullRun) t.setTimeout(3_600_000);
/** More than an upload ever needs. */
const moreMax = 24;

async function limitDescriptors(pid: number, limit: number | string): Promise<void> {
  const { status, stderr } = await run('prlimit', ['--pid', String(pid), `--nofile=${limit}:`]);
  if (status !== 0) throw new Error(stderr);
}

t.test('EMFILE at each descriptor of an upload', { skip }, async (t) => {
  const site = await startFaultSite(t);
  t.equal((await site.put(ways[0] as (typeof ways)[0], 'kept')).status, 0);
  await site.settleDown();
  const { pid } = site.server;
  for (const [number, way] of ways.entries()) {
    const counts = newCounts();
    let [leaks, refused, served, rounds] = [0, 0, 0, 0];
    for (let more = isFullRun ? 0 : number; more <= moreMax; more += isFullRun ? 1 : 4) {
      const words = `${way.name}, ${more} descriptors left`;
      const before = site.stored('kept');
      // Descriptors are numbered without gaps for the most part: the limit is one of their number, not of their count.
      await limitDescriptors(pid, site.descriptors() + more);
      const sent = await site.put(way, 'kept', { sizeBytes: 100_000 });
      await limitDescriptors(pid, 4096);
      const standing = site.standing('kept', { before, came: sent.sha256 });
      counts[standing] += 1;
      rounds += 1;
      t.equal(standing, sent.status === 0 ? 'new' : 'old', words);
      if (sent.status === 0) served += 1;
      else refused += 1;
      leaks += (await site.checkWhole(t, words)).leaked;
    }
    t.ok(refused > 0 && served > 0, `${way.name}: refused ${refused} times, served ${served} times`);
    const group = 'The host fails a system call';
    noteFault({
      group,
      fault: 'EMFILE at each descriptor that it opens',
      way: way.name,
      rounds,
      counts,
      leaks,
    });
  }
  // The look that a note takes needs descriptors as well: without it the hash is only in the journal.
  await site.checkServes(t, { unhashed: ['demo'] });
});
