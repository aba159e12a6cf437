/** What a server's processes hold and use, as Linux tells it: its own and those that it started. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const ticksPerSecond = 100; // USER_HZ, which is the same on every Linux

function withChildren(pid: number): number[] {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    const children = tasks.flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
    return [pid, ...children.flatMap(withChildren)];
  } catch {
    return []; // it has ended meanwhile
  }
}

/** Where the open descriptors of a server lead that lie beneath `directory`. */
export function openBeneath(pid: number, directory: string): string[] {
  return withChildren(pid)
    .flatMap((one) => readdirSync(`/proc/${one}/fd`).map((name) => linkAt(`/proc/${one}/fd/${name}`)))
    .filter((path) => path.startsWith(directory));
}

/** CPU time that a server has used so far, in milliseconds. */
export function cpuMs(pid: number): number {
  const ticks = withChildren(pid).map((one) => {
    // The second field is a name in brackets, which may hold anything.
    const fields = readFileSync(`/proc/${one}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  });
  return (ticks.reduce((sum, one) => sum + one, 0) * 1000) / ticksPerSecond;
}

function linkAt(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed meanwhile
  }
}
