/** What a process and all that came of it use: CPU time and memory, from /proc. */
import { readdirSync, readFileSync } from 'node:fs';

const sampleMs = 200;
const ticksPerSecond = 100; // USER_HZ on every Linux that Node runs on

interface Stat {
  readonly pid: number;
  readonly parent: number;
  /** Own, and of children that have ended and were waited for. */
  readonly cpuSeconds: number;
}

/** CPU seconds of a process, its living descendants, and those that have ended. */
export function cpuSecondsOf(pid: number): number {
  return treeOf(pid).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
}

/** CPU seconds of programs that this process has run to their end. */
export function cpuSecondsOfEnded(): number {
  const fields = fieldsOf(process.pid);
  return (Number(fields[13]) + Number(fields[14])) / ticksPerSecond;
}

/** Memory of a process and its descendants: the proportional set size, in which shared pages count once. */
export function memoryBytesOf(pid: number): number {
  return treeOf(pid).reduce((sum, process) => sum + proportionalBytes(process.pid), 0);
}

/** The most that a process and its descendants held while something was done. */
export async function peakBytesOf(pid: number, done: Promise<unknown>): Promise<number> {
  let peak = memoryBytesOf(pid);
  const timer = setInterval(() => {
    peak = Math.max(peak, memoryBytesOf(pid));
  }, sampleMs);
  try {
    await done;
  } finally {
    clearInterval(timer);
  }
  return peak;
}

function treeOf(root: number): Stat[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statOf(Number(name)) ?? []);
  const tree = all.filter(({ pid }) => pid === root);
  // Grows while it is gone through.
  for (const { pid } of tree) tree.push(...all.filter(({ parent }) => parent === pid));
  return tree;
}

/** Undefined for what has just ended. */
function statOf(pid: number): Stat | undefined {
  try {
    const fields = fieldsOf(pid);
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { pid, parent: Number(fields[1]), cpuSeconds: ticks / ticksPerSecond };
  } catch {
    return undefined;
  }
}

/** The fields of proc(5) from the third one on: a program's name may hold spaces and brackets. */
function fieldsOf(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function proportionalBytes(pid: number): number {
  try {
    const kibibytes = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
    return Number(kibibytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}
