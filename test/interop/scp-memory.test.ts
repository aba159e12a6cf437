/**
 * Goal: a tree with very many files, and one with very many levels, are fetched whole, and leave the server's memory and its
 * descriptors as they were: nothing is kept for a file or a directory that is done. A tree with too many levels says so.
 */
import t, { type Test } from 'tap';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathDepthMax } from '../../src/limits.ts';
import { missing, type Finished } from '../support/clients.ts';
import { remote, startServer, type TestServer } from '../support/server.ts';

const mib = 1024 * 1024;
const wideFiles = 10_000;
// The heap grows once, by up to 43 MiB as seen, as two records are written for each file; four such copies in a row ended where
// the second one did.
const wideBytesMax = 64 * mib;
const deepBytesMax = 8 * mib; // 1 to 2 MiB were seen

function peakBytes(pid: number): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (line === null) throw new Error('no VmHWM');
  return Number(line[1]) * 1024;
}

/** Has the peak counted anew: growth that stays below an earlier peak is growth as well. */
function resetPeak(pid: number): number {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  return peakBytes(pid);
}

const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** Fetches a tree, and checks what that cost the server. */
async function fetchTree(
  t: Test,
  {
    server,
    name,
    place,
    moreBytesMax,
  }: { server: TestServer; name: string; place: string; moreBytesMax: number },
): Promise<Finished> {
  const held = descriptors(server.pid);
  const beforeBytes = resetPeak(server.pid);
  const fetched = await server.scp('scp', ['-q', '-r', remote(name), place]);
  const moreBytes = peakBytes(server.pid) - beforeBytes;
  const figures = `${(moreBytes / mib).toFixed(1)} MiB more than the ${Math.round(beforeBytes / mib)} MiB before`;
  t.comment(figures);
  t.ok(moreBytes < moreBytesMax, figures);
  // The connections of this transfer and of the one before may come and go meanwhile.
  t.ok(descriptors(server.pid) < held + 10, 'descriptors are given back');
  return fetched;
}

function makeFiles(directory: string, count: number): void {
  mkdirSync(directory);
  for (let index = 0; index < count; index += 1) writeFileSync(join(directory, `file${index}`), `${index}`);
}

t.test('trees', { skip: missing('scp'), timeout: 90_000 }, async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'scpd-scp-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const server = await startServer(t);
  // The first transfer loads code and has the heap grow to its usual size, which is not what is measured.
  makeFiles(server.stored('first'), 1000);
  t.equal((await server.scp('scp', ['-q', '-r', remote('first'), place])).status, 0);

  await t.test(`of ${wideFiles} files in one directory`, async (t) => {
    makeFiles(server.stored('wide'), wideFiles);
    const fetched = await fetchTree(t, { server, name: 'wide', place, moreBytesMax: wideBytesMax });
    t.equal(fetched.status, 0, fetched.stderr);
    t.equal(readdirSync(join(place, 'wide')).length, wideFiles);
    for (let index = 0; index < wideFiles; index += 999)
      t.equal(readFileSync(join(place, 'wide', `file${index}`), 'utf8'), `${index}`);
  });

  for (const depth of [200, pathDepthMax, pathDepthMax + 1]) {
    await t.test(`of ${depth} levels`, async (t) => {
      const name = `deep${depth}`;
      const levels = (count: number): string => join(name, ...Array.from({ length: count - 1 }, () => 'd'));
      mkdirSync(server.stored(levels(depth)), { recursive: true });
      writeFileSync(server.stored(join(levels(depth), 'bottom')), 'bottom');
      writeFileSync(server.stored(join(name, 'last')), 'sent after what is below');
      const fetched = await fetchTree(t, { server, name, place, moreBytesMax: deepBytesMax });
      const fits = depth <= pathDepthMax;
      t.equal(fetched.status, fits ? 0 : 1, fetched.stderr);
      t.match(fetched.stderr, fits ? /^$/ : /: File name too long$/m);
      t.equal(existsSync(join(place, levels(depth), 'bottom')), fits);
      t.ok(existsSync(join(place, levels(Math.min(depth, pathDepthMax)))), 'as deep as may be');
      t.ok(existsSync(join(place, name, 'last')), 'and all that is beside it');
    });
  }
});
