/**
 * Goal: several clients that write one path at the same time, in all protocols, leave one whole file: the one that the
 * journal says came last, known to the catalog by its hash; and no client hears of a success that did not happen.
 */
import t from 'tap';
import { missing } from '../support/clients.ts';
import { startFaultSite } from '../support/faults/fault-site.ts';
import { below, isFullRun, newCounts, noteFault, rounds, seed } from '../support/faults/fault-table.ts';
import { ways } from '../support/faults/ways.ts';

if (isFullRun) t.setTimeout(3_600_000);
const roundsMax = rounds({ few: 6, all: 200 });
const sizesBytes = [0, 1, 40_000, 300_000, 2_000_000];

const words = `${roundsMax} rounds, FAULTS_SEED=${seed}`;
t.test(`all ways at once onto one path, ${words}`, { skip: missing('scp') }, async (t) => {
  const site = await startFaultSite(t);
  const counts = newCounts();
  let leaks = 0;
  for (let round = 1; round <= roundsMax; round += 1) {
    // Every third name is new, so that they also meet where there is nothing yet.
    const path = round % 3 === 0 ? `new-${round}` : 'kept';
    const before = site.stored(path);
    const sent = await Promise.all(
      ways.map((way) => site.put(way, path, { sizeBytes: sizesBytes[below(sizesBytes.length)] ?? 0 })),
    );
    for (const { status, stderr } of sent) t.equal(status, 0, `round ${round}: ${stderr}`);
    const now = site.stored(path);
    const isNew = sent.some(({ sha256 }) => sha256 === now);
    counts[isNew ? 'new' : now === before ? 'old' : 'half'] += 1;
    t.ok(isNew, `round ${round}: one of the files, whole`);
    const last = site.uploads().findLast((one) => one.path === `/${path}`);
    t.equal(last?.sha256, now, `round ${round}: the last one in the journal`);
    leaks += (await site.checkWhole(t, `round ${round}`)).leaked;
  }
  await site.checkServes(t);
  const way = ways.map(({ name }) => name).join(' + ');
  noteFault({
    group: 'Clients in each other’s way',
    fault: 'three sessions write the same path at once',
    way,
    rounds: roundsMax,
    counts,
    leaks,
  });
});
