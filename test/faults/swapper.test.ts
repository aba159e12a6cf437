/**
 * Goal: somebody on the host who exchanges a directory and a file for links to outside, without pause, while clients do
 * everything that they can do with those names, never gets a byte from outside read, or anything outside changed. Method: two
 * small programs call renameat2(RENAME_EXCHANGE) as fast as the kernel can.
 */
import t from 'tap';
import { spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missing, run } from '../support/clients.ts';
import { fileURLToPath } from 'node:url';
import { startFaultSite } from '../support/faults/fault-site.ts';
import { isFullRun, newCounts, noteFault, rounds } from '../support/faults/fault-table.ts';
import { remote } from '../support/server.ts';

const skip = missing('scp') || missing('gcc');
if (isFullRun) t.setTimeout(3_600_000);
const operations = rounds({ few: 1500, all: 100_000 });
const operationsOfBatch = 1500;
const source = fileURLToPath(new URL('../support/faults/swapper.c', import.meta.url));
const secret = 'a secret from outside';

interface Swapper {
  stop(): Promise<number>;
}

function startSwapper(program: string, words: readonly string[]): Swapper {
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (bytes: Buffer) => (printed += bytes.toString()));
  const ended = new Promise<number>((resolve) => child.once('close', () => resolve(Number(printed))));
  return {
    stop: async () => {
      child.stdin.end();
      return await ended;
    },
  };
}

/** What a client can do with names below `d`, and with the file `f`. A minus lets sftp go on after an error. */
const commandsOf = (number: number, { small, got }: { small: string; got: string }): readonly string[] => [
  `-put ${small} d/put-${number}`,
  `-get d/file ${join(got, `d-${number}`)}`,
  `-chmod 600 d/file`,
  `-rename d/put-${number} d/renamed-${number}`,
  `-ls -l d`,
  `-mkdir d/made-${number}`,
  `-ln d/file d/linked-${number}`,
  `-ln -s file d/symlinked-${number}`,
  `-put -p ${small} f`,
  `-get f ${join(got, `f-${number}`)}`,
  `-chmod 600 f`,
  `-rm d/renamed-${number}`,
  `-rmdir d/made-${number}`,
  `-rm d/linked-${number}`,
  `-rm d/symlinked-${number}`,
];

t.test(`${operations} operations beside two swappers`, { skip }, async (t) => {
  const site = await startFaultSite(t);
  const place = mkdtempSync(join(tmpdir(), 'scpd-swap-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const [outside, got, program] = [join(place, 'outside'), join(place, 'got'), join(place, 'swapper')];
  const compiled = await run('gcc', ['-O1', '-Wall', '-o', program, source]);
  t.equal(compiled.status, 0, compiled.stderr);
  for (const directory of [outside, got, site.server.stored('d')]) mkdirSync(directory);
  writeFileSync(join(outside, 'file'), secret, { mode: 0o644 });
  const before = statSync(join(outside, 'file'));
  symlinkSync(outside, site.server.stored('evil'));
  symlinkSync(join(outside, 'file'), site.server.stored('evil-file'));
  for (const name of ['d/file', 'f']) writeFileSync(site.server.stored(name), 'inside');
  const small = join(place, 'small');
  writeFileSync(small, 'sent');

  const root = site.server.stored('.');
  const swappers = [
    startSwapper(program, [root, 'd', 'evil']),
    startSwapper(program, [root, 'f', 'evil-file']),
  ];
  let [done, listed, read] = [0, 0, 0];
  while (done < operations) {
    const commands: string[] = [];
    while (commands.length < operationsOfBatch)
      commands.push(...commandsOf(done + commands.length, { small, got }));
    const batch = await run(
      'sftp',
      ['-b', '-', '-P', String(site.server.port), ...site.server.sshOptions, 'demo@127.0.0.1'],
      { input: commands.join('\n'), timeoutMs: 600_000 },
    );
    t.equal(batch.status, 0, 'the batch went on to its end');
    // The listing of the outside would show this size, and nothing inside has it.
    if (batch.stdout.includes(` ${secret.length} `)) listed += 1;
    done += commands.length;
    for (const name of readdirSync(got)) {
      if (readFileSync(join(got, name), 'utf8') === secret) read += 1;
      rmSync(join(got, name));
    }
    await site.server.scp('scp', [small, small, remote('d')]);
    await site.server.scp('scp', ['-r', remote('d'), join(got, 'tree')]);
    const tree = await run('grep', ['-r', secret, got]);
    if (tree.status === 0) read += 1;
    rmSync(join(got, 'tree'), { recursive: true, force: true });
  }
  const swaps = await Promise.all(swappers.map((swapper) => swapper.stop()));
  t.ok(
    swaps.every((count) => count > 1000),
    `swapped ${swaps.join(' and ')} times`,
  );
  t.equal(read, 0, 'nothing from outside was read');
  t.equal(listed, 0, 'nor listed');
  t.strictSame(readdirSync(outside), ['file'], 'nothing was made outside');
  t.equal(readFileSync(join(outside, 'file'), 'utf8'), secret, 'nor written');
  const after = statSync(join(outside, 'file'));
  t.strictSame(
    [after.mode, after.mtimeMs, after.nlink, after.ino],
    [before.mode, before.mtimeMs, 1, before.ino],
  );
  for (const name of ['d', 'evil', 'f', 'evil-file'])
    rmSync(site.server.stored(name), { recursive: true, force: true });
  await site.recount();
  t.strictSame(site.server.staged(), []);
  t.equal(await site.leaked(), 0, 'descriptors');
  noteFault({
    group: 'An attacker on the host',
    fault: `directory and file exchanged for links to outside, ${done} operations; new: nothing escaped`,
    way: 'sftp + scp -O',
    rounds: done,
    counts: { ...newCounts(), new: read + listed === 0 ? done : 0, half: read + listed },
    leaks: await site.leaked(),
  });
});
