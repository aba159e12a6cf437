/**
 * What tells one process from another, also from a later one with the same number: what is left behind under the name of
 * a process that is gone is nobody's.
 */
import { readFileSync } from 'node:fs';

/** A process is told from a later one with the same number by when it started, in clock ticks since boot. */
function startTicks(pid: string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // proc(5): the second field is the name in parentheses, which may hold anything; the start is field 22.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined; // no such process
  }
}

/** The name of this process. Two at one time never share it, and it has only digits and one dash. */
export const ownProcess = `${process.pid}-${startTicks('self') ?? '0'}`;

/**
 * Whether a process of this name, which was made since the machine started, still runs.
 * @param name what `ownProcess` was there; what follows it after a dash does not matter
 */
export function isProcessAlive(name: string): boolean {
  const [pid = '', ticks = ''] = name.split('-');
  return /^[0-9]+$/.test(pid) && startTicks(pid) === ticks;
}

/** Changes each time the machine starts. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}
