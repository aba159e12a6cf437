/**
 * Which requests of a session may run side by side. The draft (section 6.1) lets a server do requests in any order as long
 * as those about one file keep theirs. OpenSSH's server does one after the other, and clients have come to rely on that, so
 * here too a request waits for every earlier one whose work it could see:
 *
 * - requests with one handle run in their order;
 * - a request that changes a path (CLOSE of an upload among them, which puts the file there) and one that looks at or
 *   changes the same path, or one above or below it, run in their order.
 *
 * Paths are compared as they were written. Two names that a link makes one are two here.
 */
import { isWithin, virtualPath, type VirtualPath } from '../guard/virtual-path.ts';
import type { ServedRequest } from '../protocol/sftp/requests.ts';
import type { HandleTable } from './sftp-handles.ts';

/** What a request has to do with. */
export interface Claims {
  readonly handles: readonly string[];
  readonly paths: readonly VirtualPath[];
  /** Whether it changes what is at `paths`, or only looks. */
  readonly changes: boolean;
}

interface Running {
  readonly claims: Claims;
  readonly done: Promise<unknown>;
}

export class RequestOrder {
  readonly #running = new Set<Running>();

  /** Runs `act` once everything earlier that it must not overtake is done; never at once, but in a later microtask. */
  async run<T>(claims: Claims, act: () => Promise<T>): Promise<T> {
    const before = [...this.#running].filter((earlier) => conflict(earlier.claims, claims));
    const work = (async () => {
      await Promise.all(before.map(({ done }) => done));
      return await act();
    })();
    const running = { claims, done: work.catch(() => undefined) };
    this.#running.add(running);
    try {
      return await work;
    } finally {
      this.#running.delete(running);
    }
  }
}

/** @param changes whether the request's kind changes what it names */
export function claimsOf(request: ServedRequest, handles: HandleTable, changes: boolean): Claims {
  if (request.kind === 'copy-data') {
    return { handles: [request.fromHandle, request.toHandle], paths: [], changes: false };
  }
  if ('handle' in request) {
    const opened = request.kind === 'close' ? handles.find(request.handle) : undefined;
    const published = opened?.kind === 'upload' ? [opened.path] : [];
    return { handles: [request.handle], paths: published, changes: true };
  }
  const names = 'from' in request ? [request.from, request.to] : 'path' in request ? [request.path] : [];
  const paths = names.flatMap(pathsNamed);
  // What a session is uploading it can see and date by its name, too: behind the WRITEs that came before.
  const growing = reachesUploads.has(request.kind)
    ? paths.flatMap((path) => handles.uploadAt(path)?.handle ?? [])
    : [];
  // sshfs asks about a file in the same breath in which it creates it.
  const begins = request.kind === 'open' && (request.flags.write || request.flags.create);
  return { handles: growing, paths, changes: changes || begins };
}

const reachesUploads: ReadonlySet<ServedRequest['kind']> = new Set(['stat', 'lstat', 'setstat', 'lsetstat']);

/** What is no path can't conflict; the request will say what is wrong with it. */
function pathsNamed(text: string): readonly VirtualPath[] {
  try {
    return [virtualPath(text)];
  } catch {
    return [];
  }
}

function conflict(earlier: Claims, later: Claims): boolean {
  if (earlier.handles.some((handle) => later.handles.includes(handle))) return true;
  if (!earlier.changes && !later.changes) return false;
  return earlier.paths.some((one) =>
    later.paths.some((other) => isWithin(one, other) || isWithin(other, one)),
  );
}
