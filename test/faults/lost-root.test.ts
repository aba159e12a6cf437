/**
 * Goal: while the root of a user is away - renamed, removed, or unmounted - the client is refused and the log says which
 * directory is missing; others are served; and when it is back, everything works again without a restart.
 */
import { mountMemory, noMounts, unmount } from '../support/faults/own-mounts.ts';
import t, { type Test } from 'tap';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { missing, run } from '../support/clients.ts';
import { startFaultSite, type FaultSite } from '../support/faults/fault-site.ts';
import { isFullRun, newCounts, noteFault } from '../support/faults/fault-table.ts';
import { ways } from '../support/faults/ways.ts';

const skip = noMounts || missing('scp') || missing('gcc');
if (isFullRun) t.setTimeout(3_600_000);

interface Loss {
  readonly fault: string;
  readonly takeAway: (root: string) => Promise<void> | void;
  readonly putBack: (root: string) => Promise<void> | void;
  /** What is left at its place must stay empty: nobody would find there what was acknowledged. */
  readonly leaves: 'nothing' | 'an empty directory';
}

const losses: readonly Loss[] = [
  {
    fault: 'the root is renamed',
    takeAway: (root) => renameSync(root, `${root}-away`),
    putBack: (root) => renameSync(`${root}-away`, root),
    leaves: 'nothing',
  },
  {
    fault: 'another directory stands in its place',
    takeAway: (root) => {
      renameSync(root, `${root}-away`);
      mkdirSync(root);
    },
    putBack: (root) => {
      rmSync(root, { recursive: true });
      renameSync(`${root}-away`, root);
    },
    leaves: 'an empty directory',
  },
];

async function lose(t: Test, site: FaultSite, loss: Loss): Promise<void> {
  const root = site.server.stored('.').replace(/\/$/, '');
  for (const way of ways) {
    const words = `${loss.fault}, ${way.name}`;
    const before = site.stored('kept');
    const logged = site.server.log.length;
    await loss.takeAway(root);
    const sent = await site.put(way, 'kept');
    t.not(sent.status, 0, `${words}: the client knows`);
    if (loss.leaves === 'an empty directory')
      t.strictSame(readdirSync(root), [], `${words}: nothing is put there`);
    t.match(site.server.log.slice(logged), root, `${words}: the log names the directory`);
    const other = await site.put(way, 'kept', { user: 'free' });
    t.equal(other.status, 0, `${words}: another user is served: ${other.stderr}`);
    await loss.putBack(root);
    const counts = newCounts();
    const standing = site.standing('kept', { before, came: sent.sha256 });
    counts[standing] += 1;
    t.equal(standing, 'old', words);
    const { leaked } = await site.checkWhole(t, words);
    const again = await site.put(way, 'kept');
    t.equal(again.status, 0, `${words}: works again: ${again.stderr}`);
    noteFault({
      group: 'The root is away',
      fault: loss.fault,
      way: way.name,
      rounds: 1,
      counts,
      leaks: leaked,
    });
  }
}

t.test('renamed, or another one in its place', { skip }, async (t) => {
  const site = await startFaultSite(t);
  t.equal((await site.put(ways[0] as (typeof ways)[0], 'kept')).status, 0);
  for (const loss of losses) await lose(t, site, loss);
  await site.checkServes(t);
});

t.test('unmounted, and mounted again', { skip }, async (t) => {
  const disk = mkdtempSync(join(tmpdir(), 'scpd-disk-'));
  t.teardown(() => rmdirSync(disk));
  const site = await startFaultSite(t, {}, async (server) => {
    // One that can be mounted again: the same directory at another place.
    await mountMemory(t, disk, 'size=64m');
    await run('mount', ['--bind', disk, server.stored('.')]);
    t.teardown(() => run('umount', ['--lazy', server.stored('.')]).then(() => undefined));
  });
  t.equal((await site.put(ways[0] as (typeof ways)[0], 'kept')).status, 0);
  await lose(t, site, {
    fault: 'the root is unmounted',
    takeAway: (root) => unmount(root),
    putBack: async (root) => void (await run('mount', ['--bind', disk, root])),
    leaves: 'an empty directory',
  });
  await site.checkServes(t);
});

t.test('renamed, and back, during an upload', { skip }, async (t) => {
  const site = await startFaultSite(t);
  const root = site.server.stored('.').replace(/\/$/, '');
  for (const way of ways) {
    const first = await site.put(way, 'kept');
    t.equal(first.status, 0);
    const sending = site.put(way, 'kept', { sizeBytes: 60_000_000 });
    for (let waitedMs = 0; waitedMs < 20_000 && site.server.staged().length === 0; waitedMs += 3)
      await pause(3);
    renameSync(root, `${root}-away`);
    const { status, sha256, stderr } = await sending;
    renameSync(`${root}-away`, root);
    t.equal(status, 0, `${way.name}: it goes where the root went: ${stderr}`);
    t.equal(site.stored('kept'), sha256, way.name);
    await site.checkWhole(t, way.name);
  }
  await site.checkServes(t);
  t.ok(readdirSync(join(root, '.scpd')).length > 0);
});
