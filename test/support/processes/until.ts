/** Waits for what has no event of its own, such as the end of somebody else's process. */
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** Resolves with how long it took; rejects if it never came. */
export async function until(
  isTrue: () => boolean | Promise<boolean>,
  what: string,
  msMax = 20_000,
): Promise<number> {
  const began = performance.now();
  while (!(await isTrue())) {
    if (performance.now() - began > msMax) throw new Error(`it never came: ${what}`);
    await pause(10);
  }
  return performance.now() - began;
}

export function isProcessThere(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

/** Signals one process. To `process.kill`, a process that was not found (0) means all of the caller's group: the tests themselves. */
export function signal(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined || pid <= 1) throw new Error(`no process to send ${name} to`);
  process.kill(pid, name);
}
