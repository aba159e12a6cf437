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
  /** By handle, the latest: it waits for the earlier ones. */
  readonly #latest = new Map<string, Running>();
  /** Those that have to do with paths. */
  readonly #onPaths = new Set<Running>();

  /** Runs `act` once everything earlier that it must not overtake is done; never at once, but in a later microtask. */
  run<T>(claims: Claims, act: () => Promise<T>): Promise<T> {
    const before = this.#before(claims);
    const work = (before.length < 2 ? (before[0] ?? Promise.resolve()) : Promise.all(before)).then(act);
    const over = (): void => this.#forget(running);
    const running: Running = { claims, done: work.then(over, over) };
    for (const handle of claims.handles) this.#latest.set(handle, running);
    if (claims.paths.length > 0) this.#onPaths.add(running);
    return work;
  }

  /** What has to be over first. */
  #before(claims: Claims): readonly Promise<unknown>[] {
    const before = new Set<Running>();
    for (const handle of claims.handles) {
      const earlier = this.#latest.get(handle);
      if (earlier !== undefined) before.add(earlier);
    }
    if (claims.paths.length > 0) {
      for (const earlier of this.#onPaths) if (conflict(earlier.claims, claims)) before.add(earlier);
    }
    return [...before].map(({ done }) => done);
  }

  #forget(running: Running): void {
    this.#onPaths.delete(running);
    for (const handle of running.claims.handles) {
      if (this.#latest.get(handle) === running) this.#latest.delete(handle);
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

/** Whether paths forbid that they run side by side. */
function conflict(earlier: Claims, later: Claims): boolean {
  if (!earlier.changes && !later.changes) return false;
  return earlier.paths.some((one) =>
    later.paths.some((other) => isWithin(one, other) || isWithin(other, one)),
  );
}
