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
