/** Where something new may be put, and under which name: for uploads and for what is moved. */
import { ScpdError, errorCode } from '../errors.ts';
import type { Access, Verb } from './access.ts';
import { conflictName } from './conflict-name.ts';
import type { UploadOptions } from './files.ts';
import type { Admit, Moved } from './ledger.ts';
import type { Place, Replacement, StageOptions, Store } from './store.ts';
import { baseName, childPath, parentPath, type VirtualPath } from './virtual-path.ts';

export interface UploadPlan extends StageOptions {
  /** The content that is there must stay; more may follow it. */
  readonly onlyAppends: boolean;
}

/** What the rules say of putting something at a place, as asked and where links led. */
class Target {
  readonly access: Access;
  readonly place: Place;
  readonly #path: VirtualPath;
  readonly mayOverwrite: boolean;

  constructor(access: Access, place: Place, path: VirtualPath) {
    this.access = access;
    this.place = place;
    this.#path = path;
    this.mayOverwrite = this.may('overwrite');
  }

  may(verb: Verb): boolean {
    return this.access.allows(verb, this.#path) && this.access.allows(verb, this.place.path);
  }

  require(verb: Verb): void {
    this.access.check(verb, this.#path);
    this.access.check(verb, this.place.path);
  }

  requireSize(sizeBytes: number): void {
    this.access.checkSize(sizeBytes, this.#path, this.place.path);
  }

  /** Whether a file that is new here gets another name if its own is taken. */
  get givesWay(): boolean {
    return !this.mayOverwrite && this.access.onConflict(this.place.path) === 'rename';
  }

  /** A directory has other rules, and can't be hidden from whoever may upload into it. */
  get isTaken(): boolean {
    return this.place.attributes !== undefined && this.place.attributes.kind !== 'directory';
  }
}

/**
 * How an upload is to be staged. A new file needs `create`, an existing one `overwrite`; `append` will do for that if its
 * content is kept, and then holds for every byte of it. Throws what the client is to hear.
 * @param path as the client wrote it; the rules are asked about it, and about where it led
 */
export function planUpload(
  access: Access,
  place: Place,
  { path, ...options }: UploadOptions & { readonly path: VirtualPath },
): UploadPlan {
  const target = new Target(access, place, path);
  const mayAppend = options.existing === 'modify' && target.may('append');
  const givesWay = target.givesWay && !mayAppend && !place.throughLink;
  const isTaken = givesWay && target.isTaken && options.missing === 'create' && target.may('create');
  if (place.attributes !== undefined && !isTaken) return planReplacement(target, options, mayAppend);
  if (options.missing === 'refuse' || place.throughLink) throw new ScpdError('NOT_FOUND');
  target.require('create');
  return {
    keepContent: false,
    keepsVersion: access.versions(place.path) !== undefined,
    apart: isTaken,
    exclusive: options.existing === 'refuse' || !target.mayOverwrite,
    replaces: () => (target.may('overwrite') ? 'anything' : 'nothing'),
    otherName: givesWay ? otherNames(access, place.path) : undefined,
    newFileMode: options.newFileMode,
    onlyAppends: false,
  };
}

function planReplacement(
  target: Target,
  { existing, newFileMode }: UploadOptions,
  mayAppend: boolean,
): UploadPlan {
  const kind = target.place.attributes?.kind;
  if (kind === 'directory') throw new ScpdError('IS_A_DIRECTORY');
  if (kind !== 'file') throw new ScpdError('NOT_A_REGULAR_FILE');
  if (existing === 'refuse') throw new ScpdError('ALREADY_EXISTS');
  if (!mayAppend) target.require('overwrite');
  const onlyAppends = !target.mayOverwrite;
  // What made the name the user's own may end before the upload does, and an append must not undo another one.
  const replaces = (): Replacement => {
    if (target.may('overwrite')) return 'anything';
    return onlyAppends && target.may('append') ? 'unchanged' : 'nothing';
  };
  const keepsVersion = target.access.versions(target.place.path) !== undefined;
  return {
    keepContent: existing === 'modify',
    keepsVersion,
    exclusive: false,
    replaces,
    newFileMode,
    onlyAppends,
  };
}

export interface Move {
  readonly access: Access;
  readonly store: Store;
  /** What the client wrote. */
  readonly from: VirtualPath;
  readonly to: VirtualPath;
  readonly replace: boolean;
  /** Asked before each try. */
  readonly admit: Admit;
}

/**
 * Moves a file, link or directory. The caller has asked for `rename` at the source; the target needs `create` (a directory
 * `mkdir`), or `overwrite` where something is there. Throws what the client is to hear.
 */
export async function move(source: Place, place: Place, request: Move): Promise<Moved> {
  const target = new Target(request.access, place, request.to);
  const givesWay = target.givesWay && source.attributes?.kind !== 'directory';
  const isTaken = givesWay && target.isTaken;
  requireMove(source, target, { ...request, isTaken });
  if (isTaken) return { path: await moveToFreeName(source, place, request) };
  try {
    const keepVersion = request.access.versions(place.path) !== undefined;
    // What was not there when we looked may be there now; only who may overwrite may replace it.
    const replace = request.replace && target.mayOverwrite;
    await request.admit(place.path, { keepsVersion: keepVersion });
    const kept = await source.moveTo(place, { replace, keepVersion });
    return { path: place.path, ...(kept === undefined ? {} : { kept }) };
  } catch (error) {
    if (!givesWay || errorCode(error) !== 'ALREADY_EXISTS') throw error;
    return { path: await moveToFreeName(source, place, request) };
  }
}

/** Throws what the rules have against it. */
function requireMove(
  source: Place,
  target: Target,
  { access, from, to, replace, isTaken }: Move & { readonly isTaken: boolean },
): void {
  const { kind, sizeBytes = 0 } = source.attributes ?? {};
  if (target.place.attributes === undefined || isTaken)
    target.require(kind === 'directory' ? 'mkdir' : 'create');
  else if (replace) target.require('overwrite');
  else throw new ScpdError('ALREADY_EXISTS');
  if (kind === 'directory') {
    access.checkTree(from, to);
    access.checkTree(source.path, target.place.path);
  } else target.requireSize(sizeBytes);
}

async function moveToFreeName(
  source: Place,
  target: Place,
  { access, store, admit }: Move,
): Promise<VirtualPath> {
  const nameAfter = otherNames(access, target.path);
  for (let tried = 0; ; tried += 1) {
    const name = nameAfter(tried);
    if (name === undefined) throw new ScpdError('ALREADY_EXISTS');
    const place = await store.locate(childPath(parentPath(target.path), name), { follow: false });
    try {
      if (place.attributes !== undefined) continue;
      await admit(place.path, { keepsVersion: false });
      await source.moveTo(place, { replace: false });
      return place.path;
    } catch (error) {
      if (errorCode(error) !== 'ALREADY_EXISTS') throw error;
    } finally {
      place.close();
    }
  }
}

/** Names to try after the one that is taken, as far as the rules allow them. */
function otherNames(access: Access, path: VirtualPath): (tried: number) => string | undefined {
  return (tried) => {
    const name = conflictName(baseName(path), tried);
    return name !== undefined && access.allows('create', childPath(parentPath(path), name))
      ? name
      : undefined;
  };
}
