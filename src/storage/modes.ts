/**
 * Which permission bits files and directories get. What a client asks for is the most that they get; setuid, setgid and
 * sticky never are. The daemon's own umask says what new ones lose, or the configured one, which then holds for what a
 * client sets later as well (-p, chmod).
 */
import type { FileKind } from '../guard/files.ts';

const permissions = 0o777;
const ownerAll = 0o700;

/** What the daemon takes from the mode of new files and directories; read once, because reading means setting. */
const daemonUmask = readUmask();

export class Modes {
  readonly #umask: number | undefined;

  /** @param umask of the configuration; it leaves the owner everything */
  constructor(umask: number | undefined) {
    this.#umask = umask;
  }

  newFile(mode: number): number {
    return mode & permissions & ~(this.#umask ?? daemonUmask);
  }

  newDirectory(mode: number): number {
    return this.#keepingDirectory(this.newFile(mode));
  }

  /** What becomes of something when a client gives it a mode. */
  changed(kind: FileKind, mode: number): number {
    const left = mode & permissions & ~(this.#umask ?? 0);
    return kind === 'directory' ? this.#keepingDirectory(left) : left;
  }

  /** With a configured umask modes are the operator's: no client can lock the daemon out of a directory. */
  #keepingDirectory(mode: number): number {
    return this.#umask === undefined ? mode : mode | ownerAll;
  }
}

/** Whether the kernel takes away from a mode what was to be given. */
export function losesToDaemon(mode: number): boolean {
  return (mode & daemonUmask) !== 0;
}

function readUmask(): number {
  const umaskBefore = process.umask(0o077);
  process.umask(umaskBefore);
  return umaskBefore;
}
