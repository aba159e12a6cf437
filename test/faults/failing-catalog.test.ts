/**
 * Goal: while the host fails the catalog, who has a quota is refused and who has none is served; as soon as it works again,
 * the catalog knows everything that was stored meanwhile. Method: as in failing-calls.test.ts.
 */
import t from 'tap';
import { setTimeout as pause } from 'node:timers/promises';
import { missing } from '../support/clients.ts';
import { startFaultSite } from '../support/faults/fault-site.ts';
import { isFullRun, newCounts, noteFault } from '../support/faults/fault-table.ts';
import { ways, type Way } from '../support/faults/ways.ts';

const skip = missing('scp') || missing('gcc');
if (isFullRun) t.setTimeout(3_600_000);
/** How soon what could not be noted is noted. */
const repairMs = 3000;

t.test('the disk of the catalog', { skip }, async (t) => {
  const site = await startFaultSite(t);
  for (const user of ['demo', 'free'] as const)
    t.equal((await site.put(ways[0] as Way, 'kept', { user })).status, 0);
  for (const call of ['write', 'fsync'] as const) {
    for (const error of isFullRun ? (['EIO', 'ENOSPC', 'EDQUOT'] as const) : (['EIO'] as const)) {
      const words = `${call} of the catalog, ${error}`;
      site.faults.arm({ call, error, path: 'catalog.db' });
      for (const way of ways) {
        const before = site.stored('kept');
        const [limited, free] = [await site.put(way, 'kept'), await site.put(way, 'kept', { user: 'free' })];
        t.equal(free.status, 0, `${words}, ${way.name}: who has no quota is served`);
        t.equal(site.stored('kept', 'free'), free.sha256);
        const standing = site.standing('kept', { before, came: limited.sha256 });
        // SQLite calls fsync only at a checkpoint: until then nothing fails.
        if (call === 'write') t.not(limited.status, 0, `${words}, ${way.name}: who has a quota is refused`);
        t.equal(standing, limited.status === 0 ? 'new' : 'old');
        const group = 'The host fails a system call';
        const counts = { ...newCounts(), [standing]: 1 };
        const fault = `${error} of ${call}: the catalog of a user with a quota`;
        noteFault({ group, fault, way: way.name, rounds: 1, counts, leaks: 0 });
      }
      const hits = site.faults.disarm();
      if (call === 'write') t.ok(hits > 0, `${words}: the host failed ${hits} times`);
      for (const way of ways) {
        const again = await site.put(way, 'kept');
        t.equal(again.status, 0, `${words}, ${way.name}: works again: ${again.stderr}`);
      }
      await pause(repairMs);
      await site.checkWhole(t, words);
    }
  }
  await site.checkServes(t, { unhashed: ['free'] });
});
