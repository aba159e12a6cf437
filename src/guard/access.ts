/**
 * The rules: may this user do that there? Asked by `guarded-files.ts` only, for the path as asked and again for the place
 * where links led. What no preset names is denied.
 */
import { ScpdError, errorCode, type ErrorCode } from '../errors.ts';
import { ownedPathsMax } from '../limits.ts';
import type { Preset } from '../users/user.ts';
import { componentsOf, isWithin, reservedName, type VirtualPath } from './virtual-path.ts';

export type Verb =
  | 'list'
  | 'stat'
  | 'read'
  | 'create'
  | 'overwrite'
  | 'delete'
  | 'rename'
  | 'mkdir'
  | 'rmdir'
  | 'attributes'
  | 'symlink'
  | 'hash';

interface Rules {
  /** Allowed on everything. */
  readonly all: ReadonlySet<Verb>;
  /** Allowed on what this session made itself. */
  readonly own: ReadonlySet<Verb>;
  /** Whether everything that is not the session's own must look as if it were not there. */
  readonly blind: boolean;
}

const none: ReadonlySet<Verb> = new Set();
const looking = ['list', 'stat', 'read', 'hash'] as const;

/** Preset → what it allows. */
const presets: Readonly<Record<Preset, Rules>> = {
  full: {
    all: new Set([
      ...looking,
      'create',
      'overwrite',
      'delete',
      'rename',
      'mkdir',
      'rmdir',
      'attributes',
      'symlink',
    ]),
    own: none,
    blind: false,
  },
  'read-only': { all: new Set(looking), own: none, blind: false },
  // Real clients look at, date, rename and sometimes remove what they have just sent; without that they report failure.
  'drop-box': {
    all: new Set(['create', 'mkdir']),
    own: new Set(['stat', 'hash', 'overwrite', 'delete', 'rename', 'rmdir', 'attributes']),
    blind: true,
  },
};

/** What a blind user is told of the state of things that are none of its business. */
const blindAnswers: Partial<Record<ErrorCode, ErrorCode>> = {
  ALREADY_EXISTS: 'PERMISSION_DENIED',
  IS_A_DIRECTORY: 'PERMISSION_DENIED',
  NOT_A_REGULAR_FILE: 'PERMISSION_DENIED',
  DIRECTORY_NOT_EMPTY: 'PERMISSION_DENIED',
  NOT_A_DIRECTORY: 'NOT_FOUND',
  TOO_MANY_LINKS: 'NOT_FOUND',
};

/** The rules of one user in one session, and what the session made itself. */
export class Access {
  readonly #rules: Rules;
  readonly #own = new Set<VirtualPath>();

  constructor(preset: Preset) {
    this.#rules = presets[preset];
  }

  /** Throws PERMISSION_DENIED if not allowed. */
  check(verb: Verb, path: VirtualPath): void {
    if (!this.allows(verb, path)) throw new ScpdError('PERMISSION_DENIED', `${verb} ${path}`);
  }

  allows(verb: Verb, path: VirtualPath): boolean {
    if (componentsOf(path)[0] === reservedName) return false;
    if (path === '/') return this.#allowsOnRoot(verb);
    return this.#rules.all.has(verb) || (this.#rules.own.has(verb) && this.#own.has(path));
  }

  /** What the client is told of a failure: itself, or to a blind user what it would have been told of nothing at all. */
  answer(error: unknown, verb: Verb): unknown {
    if (!this.#rules.blind || !(error instanceof ScpdError)) return error;
    const code = errorCode(error);
    // What is allowed on nothing (or on everything) may be denied by its name: that tells nothing.
    const hidden = code === 'PERMISSION_DENIED' && this.#rules.own.has(verb) && !this.#rules.all.has(verb);
    const told = hidden ? 'NOT_FOUND' : blindAnswers[code];
    return told === undefined ? error : new ScpdError(told, error.message, { cause: error });
  }

  /** Remembers that this session made `path`. */
  own(path: VirtualPath): void {
    if (this.#rules.own.size > 0 && this.#own.size < ownedPathsMax) this.#own.add(path);
  }

  disown(path: VirtualPath): void {
    this.#own.delete(path);
  }

  /** What was made at or below `from` is at or below `to` now. */
  moveOwn(from: VirtualPath, to: VirtualPath): void {
    const moved = [...this.#own].filter((path) => isWithin(path, from));
    for (const path of moved) {
      this.#own.delete(path);
      this.own(`${to}${path.slice(from.length)}` as VirtualPath);
    }
  }

  /** The root can't be removed, renamed or replaced; that it exists is no secret. */
  #allowsOnRoot(verb: Verb): boolean {
    if (verb === 'stat') return true;
    return (verb === 'list' || verb === 'attributes') && this.#rules.all.has(verb);
  }
}
