/**
 * Imported first by a test that mounts file systems: runs the file again in a mount namespace of its own, where it may do
 * so as any user, and where nothing that it mounts is seen by others or stays. Where no namespace may be made, `noMounts`
 * says so.
 */
import type { Test } from 'tap';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { run } from '../clients.ts';

const marker = 'SCPD_TEST_MOUNTS';
const namespace = process.getuid?.() === 0 ? ['--mount'] : ['--map-root-user', '--mount'];
const unshare = ['setpriv', '--pdeathsig', 'KILL', 'unshare', ...namespace] as const;

function mayMount(): boolean {
  const [program, ...words] = [...unshare, 'mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', '/mnt'];
  return spawnSync(program, words).status === 0;
}

if (process.env[marker] === undefined) {
  process.env[marker] = mayMount() ? 'yes' : 'no';
  if (process.env[marker] === 'yes') {
    const [program, ...words] = [...unshare, process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    process.exit(spawnSync(program, words, { stdio: 'inherit' }).status ?? 1);
  }
}

/** For tap's `skip`; in CI it is no reason. */
export const noMounts: string | false =
  process.env[marker] === 'yes' || process.env['CI'] === 'true'
    ? false
    : 'no mount namespace may be made here';

/** @param options for mount(8), such as `size=4m` */
export async function mountMemory(t: Test, directory: string, options: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  await mustDo('mount', ['-t', 'tmpfs', '-o', `${options},mode=0700`, 'none', directory]);
  t.teardown(() => run('umount', ['--lazy', directory]).then(() => undefined));
}

/** Takes it away although it is in use; who has it open keeps it. */
export async function unmount(directory: string): Promise<void> {
  await mustDo('umount', ['--lazy', directory]);
}

async function mustDo(program: string, words: readonly string[]): Promise<void> {
  const { status, stderr } = await run(program, words);
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr}`);
}
