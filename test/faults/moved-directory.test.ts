/**
 * Goal: an upload into a directory that is renamed, removed or replaced meanwhile, by another client or on the host, ends
 * as one whole file where that directory is now, or as an error and no file; never outside the root.
 */
import t, { type Test } from 'tap';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { missing } from '../support/clients.ts';
import { startFaultSite, type FaultSite } from '../support/faults/fault-site.ts';
import { isFullRun, newCounts, noteFault } from '../support/faults/fault-table.ts';
import { ways, type Way } from '../support/faults/ways.ts';

if (isFullRun) t.setTimeout(3_600_000);
const uploadBytes = 200_000_000; // so many that it is still under way when the directory goes

interface Disturbance {
  readonly fault: string;
  readonly act: (site: FaultSite, outside: string) => Promise<void> | void;
  /** Whether the client may be told of a success, where the file is then, or either. */
  readonly arrives: 'yes' | 'no';
  /** Whether the server can't know of it. */
  readonly onHost: boolean;
}

const into = (site: FaultSite): string => site.server.stored('into');
const moved = (site: FaultSite): string => site.server.stored('moved');

async function batch(site: FaultSite, ...commands: string[]): Promise<void> {
  const { status, stderr } = await site.server.sftp(`${commands.join('\n')}\n`);
  if (status !== 0) throw new Error(stderr);
}

const disturbances: readonly Disturbance[] = [
  {
    fault: 'a client renames the directory',
    act: (site) => batch(site, 'rename into moved'),
    arrives: 'yes',
    onHost: false,
  },
  {
    fault: 'a client renames it and makes another one',
    act: (site) => batch(site, 'rename into moved', 'mkdir into'),
    arrives: 'yes',
    onHost: false,
  },
  {
    fault: 'a client removes it',
    act: (site) => batch(site, 'rmdir into'),
    arrives: 'no',
    onHost: false,
  },
  {
    fault: 'a client removes it and makes another one',
    act: (site) => batch(site, 'rmdir into', 'mkdir into'),
    arrives: 'no',
    onHost: false,
  },
  {
    fault: 'the host renames the directory',
    act: (site) => renameSync(into(site), moved(site)),
    arrives: 'yes',
    onHost: true,
  },
  {
    fault: 'the host puts a link to outside in its place',
    act: (site, outside) => {
      renameSync(into(site), moved(site));
      symlinkSync(outside, into(site));
    },
    arrives: 'yes',
    onHost: true,
  },
  {
    fault: 'the host removes it',
    act: (site) => rmSync(into(site), { recursive: true }),
    arrives: 'no',
    onHost: true,
  },
];

async function disturb(
  t: Test,
  site: FaultSite,
  { way, one }: { way: Way; one: Disturbance },
): Promise<void> {
  const words = `${one.fault}, ${way.name}`;
  for (const directory of [into(site), moved(site)]) rmSync(directory, { recursive: true, force: true });
  await batch(site, 'mkdir into');
  await site.recount();
  const outside = join(site.server.place, 'outside');
  mkdirSync(outside, { recursive: true });

  const sending = site.put(way, 'into/file', { sizeBytes: uploadBytes });
  while (site.server.staged().length === 0) await pause(3);
  await one.act(site, outside);
  const wasUnderWay = site.server.staged().length > 0;
  const { status, stderr, sha256 } = await sending;
  t.ok(wasUnderWay, `${words}: while it was under way`);
  const [there, elsewhere] = [site.stored('into/file'), site.stored('moved/file')];
  const found = [there, elsewhere].filter((hash) => hash !== undefined);
  const counts = newCounts();
  counts[found.length === 0 ? 'old' : found.every((hash) => hash === sha256) ? 'new' : 'half'] += 1;
  t.equal(counts.half, 0, `${words}: whole or nothing`);
  if (one.arrives === 'no') {
    t.not(status, 0, `${words}: the client knows`);
    t.strictSame(found, [], words);
  } else {
    t.equal(status, 0, `${words}: ${stderr}`);
    t.equal(elsewhere, sha256, `${words}: the file is where its directory is`);
  }
  t.strictSame(readdirSync(outside), [], `${words}: nothing outside`);
  if (one.onHost) await site.recount(); // nobody has told the server
  if (existsSync(outside)) rmSync(outside, { recursive: true });
  const { leaked } = await site.checkWhole(t, words);
  const group = 'Clients in each other’s way';
  noteFault({
    group,
    fault: `${one.fault} into which is uploaded`,
    way: way.name,
    rounds: 1,
    counts,
    leaks: leaked,
  });
}

t.test('the directory of an upload goes away', { skip: missing('scp') }, async (t) => {
  const site = await startFaultSite(t);
  for (const [number, one] of disturbances.entries()) {
    const chosen = isFullRun ? ways : ways.slice(number % ways.length, (number % ways.length) + 1);
    for (const way of chosen) await disturb(t, site, { way, one });
  }
  for (const directory of [into(site), moved(site)]) rmSync(directory, { recursive: true, force: true });
  await site.recount();
  await site.checkServes(t);
});
