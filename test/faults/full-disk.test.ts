/**
 * Goal: on a full disk - the root's, the journal's or the catalog's - the client is told so and the old file stays; as soon
 * as there is room, everything works again without a restart. Method: a small file system in memory in the place of the
 * disk, filled by a ballast that the test takes away again.
 */
import { mountMemory, noMounts } from '../support/faults/own-mounts.ts';
import t, { type Test } from 'tap';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { missing } from '../support/clients.ts';
import { startFaultSite, type FaultSite, type Standing } from '../support/faults/fault-site.ts';
import { isFullRun, newCounts, noteFault } from '../support/faults/fault-table.ts';
import { ways, type Way } from '../support/faults/ways.ts';

const skip = noMounts || missing('scp') || missing('gcc');
if (isFullRun) t.setTimeout(3_600_000);
const mebibyte = 1024 * 1024;
/** How long the journal and the catalog may take to be tried again. */
const retryMs = 3000;

/** Fills a file system to the last block, or to the last file. */
function fill(ballast: string, { files = false } = {}): () => void {
  mkdirSync(ballast, { recursive: true });
  const step = files ? 0 : 4096;
  try {
    for (let number = 0; ; number += 1) writeFileSync(join(ballast, String(number)), Buffer.alloc(step));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
  return () => rmSync(ballast, { recursive: true });
}

interface Fullness {
  readonly fault: string;
  /** The size of what is sent. */
  readonly sizeBytes: number;
  readonly makeFull: (site: FaultSite) => () => void;
}

const ballastOf = (site: FaultSite): string => join(site.server.stored('.scpd'), 'ballast');

const kinds: readonly Fullness[] = [
  { fault: 'no block is free', sizeBytes: 300_000, makeFull: (site) => fill(ballastOf(site)) },
  { fault: 'no inode is free', sizeBytes: 1000, makeFull: (site) => fill(ballastOf(site), { files: true }) },
  { fault: 'the file is larger than the disk', sizeBytes: 12 * mebibyte, makeFull: () => () => undefined },
];

function note(fault: string, facts: { way: Way; standing: Standing; leaked: number }): void {
  const { way, standing, leaked } = facts;
  const counts = newCounts();
  counts[standing] += 1;
  noteFault({ group: 'A disk is full', fault, way: way.name, rounds: 1, counts, leaks: leaked });
}

/** One upload onto a name while there is no room, and one after it. */
async function tryFull(t: Test, site: FaultSite, { fault, sizeBytes, makeFull }: Fullness): Promise<void> {
  // Without the time for all, each kind is tried in another way.
  const chosen = isFullRun ? ways : ways.filter((_, number) => kinds[number]?.fault === fault);
  for (const way of chosen) {
    for (const path of ['kept', `new-${way.name.replaceAll(' ', '-')}`]) {
      const before = site.stored(path);
      const words = `${fault}, ${way.name}, ${path}`;
      const makeRoom = makeFull(site);
      const sent = await site.put(way, path, { sizeBytes });
      makeRoom();
      t.not(sent.status, 0, `${words}: the client knows`);
      // OpenSSH's sftp shows the number of an error and not its words.
      t.match(sent.stderr, way.protocol === 'SCP' ? /No space left on the server/ : /Failure/, words);
      const standing = site.standing(path, { before, came: sent.sha256 });
      t.equal(standing, 'old', words);
      const { leaked } = await site.checkWhole(t, words);
      const again = await site.put(way, path, { sizeBytes: 1000 });
      t.equal(again.status, 0, `${words}: works again: ${again.stderr}`);
      note(`${fault}${before === undefined ? ', a new name' : ''}`, { way, standing, leaked });
      t.equal((await site.server.sftp(path === 'kept' ? '' : `rm ${path}\n`)).status, 0);
    }
  }
}

t.test('the disk of the root', { skip }, async (t) => {
  const site = await startFaultSite(t, {}, async (server) => {
    await mountMemory(t, server.stored('.'), 'size=8m,nr_inodes=400');
  });
  t.equal((await site.put(ways[0] as Way, 'kept')).status, 0);
  for (const kind of kinds) await tryFull(t, site, kind);
  await site.checkServes(t);
});

t.test('the disk of the journal', { skip }, async (t) => {
  const journal = (place: string): string => join(place, 'var', 'audit');
  const site = await startFaultSite(t, {}, async (server) => {
    await mountMemory(t, journal(server.place), 'size=512k');
  });
  t.equal((await site.put(ways[0] as Way, 'kept')).status, 0);
  for (const way of ways) {
    const before = site.stored('kept');
    const makeRoom = fill(join(journal(site.server.place), 'ballast'));
    // The last block of the journal may still take some records.
    let sent = await site.put(way, 'kept');
    for (let more = 0; sent.status === 0 && more < 30; more += 1)
      sent = await site.put(way, 'kept', { sizeBytes: 1000 });
    t.not(sent.status, 0, `${way.name}: the client knows`);
    t.match(sent.stderr, way.protocol === 'SCP' ? /Server cannot write its journal/ : /Failure/, way.name);
    const next = await site.put(way, 'kept');
    t.not(next.status, 0, `${way.name}: nothing begins while it is full`);
    t.not(site.stored('kept'), next.sha256);
    makeRoom();
    await pause(retryMs);
    const { leaked } = await site.checkWhole(t, `${way.name}, a full journal`);
    const standing = site.standing('kept', { before, came: sent.sha256 });
    note('the journal can not be written', { way, standing: standing === 'half' ? 'old' : standing, leaked });
    const again = await site.put(way, 'kept');
    t.equal(again.status, 0, `${way.name}: works again: ${again.stderr}`);
  }
  await site.checkServes(t);
});

t.test('the disk of the journal, where transfers are to go on', { skip }, async (t) => {
  const journal = (place: string): string => join(place, 'var', 'audit');
  const settings = { audit: { dir: '../var/audit', onFailure: 'continue' } };
  const site = await startFaultSite(t, { settings }, async (server) => {
    await mountMemory(t, journal(server.place), 'size=512k');
  });
  const [way] = ways;
  if (way === undefined) throw new Error('no way');
  t.equal((await site.put(way, 'kept')).status, 0);
  const makeRoom = fill(join(journal(site.server.place), 'ballast'));
  const sent: string[] = [];
  for (let number = 0; !site.server.log.includes('transfers go on') && number < 30; number += 1) {
    const { status, sha256 } = await site.put(way, 'kept', { sizeBytes: 1000 });
    t.equal(status, 0);
    sent.push(sha256);
  }
  t.match(site.server.log, /the audit journal can not be written; transfers go on/);
  const during = await site.put(way, 'kept');
  t.equal(during.status, 0, 'served while it fails');
  t.equal(site.stored('kept'), during.sha256);
  makeRoom();
  await pause(retryMs);
  const ends = site.uploads().map(({ sha256 }) => sha256);
  t.strictSame(
    [...sent, during.sha256].filter((sha256) => !ends.includes(sha256)),
    [],
    'what was done meanwhile is written down later',
  );
  await site.checkWhole(t, 'a full journal, transfers go on');
});

t.test('the disk of the catalog', { skip }, async (t) => {
  const settings = { catalog: { url: 'sqlite:../var/known/catalog.db' } };
  const known = (place: string): string => join(place, 'var', 'known');
  const site = await startFaultSite(t, { settings }, async (server) => {
    await mountMemory(t, known(server.place), 'size=6m');
  });
  for (const user of ['demo', 'free'] as const)
    t.equal((await site.put(ways[0] as Way, 'kept', { user })).status, 0);
  for (const way of ways) {
    const makeRoom = fill(join(known(site.server.place), 'ballast'));
    let before = site.stored('kept');
    let limited = await site.put(way, 'kept');
    // Where the WAL was longer once, it has room of its own.
    for (let more = 0; limited.status === 0 && more < 400; more += 1) {
      before = site.stored('kept');
      limited = await site.put(way, 'kept', { sizeBytes: 1000 });
    }
    t.not(limited.status, 0, `${way.name}: who has a quota is refused`);
    const standing = site.standing('kept', { before, came: limited.sha256 });
    t.equal(standing, 'old', `${way.name}: the old file stays`);
    const free = await site.put(way, 'kept', { user: 'free' });
    t.equal(free.status, 0, `${way.name}: who has none is served: ${free.stderr}`);
    makeRoom();
    await pause(retryMs);
    const { leaked } = await site.checkWhole(t, `${way.name}, a full catalog`);
    note('the catalog can not be written, a user with a quota', { way, standing, leaked });
    const again = await site.put(way, 'kept');
    t.equal(again.status, 0, `${way.name}: works again: ${again.stderr}`);
  }
  await site.checkServes(t, { unhashed: ['free'] });
});
