/**
 * One user in one root, as the guard sees it. A change that was made is noted from what the disk shows while the
 * database is locked, so the last one to note a name has seen it last, whatever order the changes came in. Whoever finds
 * that another one's change is there already leaves the noting to that one: its own claim is still open.
 *
 * That needs paths that lead to the same directories for the disk and for the catalog: so whatever is moved is moved while
 * the database is locked, and noted in the same transaction, and a claim is on a path that leads where it led.
 */
import { newId } from '../ids.ts';
import {
  isCurrent,
  type Admit,
  type Claim,
  type ClaimRequest,
  type Content,
  type PartialUpload,
  type KnownEntry,
  type Ledger,
  type Look,
  type Moved,
  type Quota,
  type Shared,
  type Usage,
} from '../guard/ledger.ts';
import { ScpdError } from '../errors.ts';
import type { KeptVersion, StoredAttributes } from '../guard/store.ts';
import { childPath, parentPath, type VirtualPath } from '../guard/virtual-path.ts';
import { movedContentMsMax } from '../limits.ts';
import type { CatalogRoot } from './catalog.ts';
import type { Database } from './database.ts';
import { directoriesAround, mayShift } from './directories.ts';
import {
  findEntry,
  latestStoredAt,
  moveEntries,
  putEntry,
  removeEntries,
  setMovedContent,
  type Spot,
} from './entries.ts';
import { findPartial, noteStaged, suspendReservation, takePartial } from './partial-uploads.ts';
import { pathOf } from './path-bytes.ts';
import type { Repairs } from './repairs.ts';
import {
  addReservation,
  claimantAt,
  endReservation,
  findReservation,
  keepReservation,
  resizeReservation,
} from './reservations.ts';
import { columnsOf, knownEntry, withoutKey } from './rows.ts';
import type { EntryRow, Writer } from './tables.ts';
import { usageOf } from './usage.ts';

export interface LedgerFacts {
  readonly database: Database;
  /** The process that claims: its claims end with it. */
  readonly process: string;
  readonly root: CatalogRoot;
  readonly rootId: number;
  /** For what can't be noted. */
  readonly repairs: Repairs;
  readonly user: string;
  readonly quota: Quota;
}

export class CatalogLedger implements Ledger {
  readonly #facts: LedgerFacts;

  constructor(facts: LedgerFacts) {
    this.#facts = facts;
  }

  async claim(request: ClaimRequest): Promise<Claim | undefined> {
    const { path, target, bytes, creates, apart = false, isInPlace = () => true } = request;
    const { database, process, rootId, user, quota } = this.#facts;
    const id = newId();
    const reservation = {
      id,
      process,
      rootId,
      path,
      target,
      user,
      apart,
      claimed: { bytes, files: creates ? 1 : 0 },
    };
    const answer = await database.write(async (writer) => {
      if (!isInPlace()) return 'elsewhere';
      return addReservation(writer, reservation, quota) ? 'granted' : 'refused';
    });
    if (answer === 'elsewhere')
      throw new ScpdError('NOT_FOUND', 'its directory was renamed or removed meanwhile');
    if (answer === 'refused') return undefined;
    return new CatalogClaim(id, { ...this.#facts, retained: request.retained === true });
  }

  unclaimed(): Claim {
    return new Unclaimed(() => this.#facts.repairs.root(this.#facts.root));
  }

  async usage(): Promise<Usage> {
    return await usageOf(this.#facts.database.read, this.#facts.user);
  }

  async sharedAt(path: VirtualPath): Promise<readonly Shared[]> {
    const { database, rootId } = this.#facts;
    const rows = await database.look((reader) => directoriesAround(reader, { rootId, path }));
    return rows.map((row) => ({
      ...(row.bytes_max === null ? {} : { bytesMax: row.bytes_max }),
      ...(row.files_max === null ? {} : { filesMax: row.files_max }),
      bytes: row.bytes,
      files: row.files,
      reservedBytes: row.reserved_bytes,
      reservedFiles: row.reserved_files,
    }));
  }

  async entryAt(path: VirtualPath): Promise<KnownEntry | undefined> {
    const { database, rootId } = this.#facts;
    const row = await database.look((reader) => findEntry(reader, { rootId, path }));
    return row === undefined ? undefined : knownEntry(row);
  }

  async partialAt(path: VirtualPath): Promise<PartialUpload | undefined> {
    const { database, rootId, user } = this.#facts;
    return await database.look((reader) => findPartial(reader, { rootId, path, user }));
  }

  async takePartial(id: string, { retained }: { readonly retained: boolean }): Promise<Claim | undefined> {
    const { database, process, user } = this.#facts;
    const isTaken = await database.write((writer) => takePartial(writer, id, { process, user }));
    return isTaken ? new CatalogClaim(id, { ...this.#facts, retained }) : undefined;
  }
}

class CatalogClaim implements Claim {
  readonly id: string;
  readonly #facts: LedgerFacts & { readonly retained: boolean };

  constructor(id: string, facts: LedgerFacts & { readonly retained: boolean }) {
    this.id = id;
    this.#facts = facts;
  }

  async resize(bytes: number): Promise<boolean> {
    const { database, quota } = this.#facts;
    return await database.write(async (writer) => resizeReservation(writer, this.id, { bytes, quota }));
  }

  async noteStaged(name: string | undefined): Promise<void> {
    await this.#facts.database.write((writer) => noteStaged(writer, this.id, name));
  }

  async suspend(bytes: number): Promise<readonly string[] | undefined> {
    return await this.#facts.database.write((writer) => suspendReservation(writer, this.id, bytes));
  }

  async made(look: Look, content?: Content): Promise<void> {
    const since = new Date(Date.now() - movedContentMsMax).toISOString();
    await this.#end(async (writer, spot) => {
      const place = content?.name === undefined ? spot : sibling(spot, content.name);
      await this.#keep(writer, place, content?.kept);
      const found = look(place.path);
      if (content !== undefined && content.inode !== found?.inode) {
        // Another one has the name already, or it was moved, removed or made a version: its hash is known only here.
        const { inode, sha256, verdict } = content;
        await setMovedContent(writer, place.rootId, { inode, sha256, verdict, since });
        return;
      }
      if (found === undefined) return;
      const known = content === undefined ? findEntry(writer, place) : undefined;
      if (known !== undefined && isCurrent(knownEntry(known), found)) return; // another's, who knows more of it
      putEntry(writer, place, {
        ...columnsOf(found),
        user: this.#facts.user,
        ...contentColumns(content, this.id),
        stored_at: await this.#storedAt(writer),
      });
    });
  }

  async removed(look: Look, kept?: KeptVersion): Promise<void> {
    await this.#end(async (writer, spot) => {
      await this.#keep(writer, spot, kept);
      if (look(spot.path) === undefined) await removeEntries(writer, spot);
    });
  }

  async changed(look: Look, before: StoredAttributes): Promise<void> {
    await this.#end(async (writer, spot) => {
      const [found, old] = [look(spot.path), findEntry(writer, spot)];
      if (found?.inode !== before.inode || old === undefined) return;
      putEntry(writer, spot, {
        ...withoutKey(old),
        ...columnsOf(found),
        ...(isCurrent(knownEntry(old), before) ? {} : { sha256: null, verdict: null }),
      });
    });
  }

  async move<T extends Moved>(act: (admit: Admit) => Promise<T>, look: Look): Promise<T> {
    const { database, user, quota } = this.#facts;
    let outcome: { readonly moved: T } | { readonly error: unknown } | undefined;
    let isUnsure = false;
    try {
      await database.writeAlone(async (writer) => {
        const row = findReservation(writer, this.id);
        if (row === undefined) throw new Error('a claim that is over');
        const from = { rootId: row.root_id, path: pathOf(row) };
        outcome = await outcomeOf(() =>
          act(async (to, { keepsVersion }) => {
            const keeps = keepsVersion && quota.countsVersions !== false;
            if (!(await mayShift(writer, from, { to, keeps }))) throw new ScpdError('QUOTA_EXCEEDED', to);
          }),
        );
        endReservation(writer, this.id);
        if ('error' in outcome) return;
        const { path, kept } = outcome.moved;
        await this.#keep(writer, { rootId: row.root_id, path }, kept);
        isUnsure = await noteMove(writer, from, path, { found: look(path), user });
        if (isUnsure) keepReservation(writer, row, path);
      });
      if (isUnsure) this.#facts.repairs.claim(this.id, this.#facts.root);
    } catch (error) {
      this.#facts.repairs.claim(this.id, this.#facts.root, error);
      if (outcome === undefined) throw error;
    }
    if (outcome === undefined) throw new TypeError('a transaction that was not run');
    if ('error' in outcome) throw outcome.error;
    return outcome.moved;
  }

  async release(): Promise<void> {
    await this.#end(async () => undefined);
  }

  /** A retention that began when the clock was set back would end when it is right again. */
  async #storedAt(writer: Writer): Promise<string> {
    const now = new Date().toISOString();
    const latest = this.#facts.retained ? await latestStoredAt(writer) : undefined;
    return latest !== undefined && latest > now ? latest : now;
  }

  /** What stood at a path is a version now: it is what it was, under another name. */
  async #keep(writer: Writer, spot: Spot, kept: KeptVersion | undefined): Promise<void> {
    if (kept === undefined) return;
    if (kept.earlier !== undefined) await removeEntries(writer, { rootId: spot.rootId, path: kept.earlier });
    const old = findEntry(writer, spot);
    const isKnown = old !== undefined && isCurrent(knownEntry(old), kept.attributes);
    putEntry(
      writer,
      { rootId: spot.rootId, path: kept.path },
      {
        ...columnsOf(kept.attributes),
        user: old?.user ?? this.#facts.user,
        sha256: isKnown ? old.sha256 : null,
        verdict: isKnown ? old.verdict : null,
        upload_id: isKnown ? old.upload_id : null,
        stored_at: isKnown ? old.stored_at : new Date().toISOString(),
        counts: this.#facts.quota.countsVersions === false ? 0 : 1,
      },
    );
  }

  /** Never throws: the claim stays until what it is about has been looked at. */
  async #end(note: (writer: Writer, spot: Spot) => Promise<void>): Promise<void> {
    try {
      await this.#facts.database.write(async (writer) => {
        const row = endReservation(writer, this.id);
        if (row === undefined) return;
        // Not the path that was claimed: the directory may have been renamed meanwhile.
        await note(writer, { rootId: row.root_id, path: pathOf(row) });
      });
    } catch (error) {
      this.#facts.repairs.claim(this.id, this.#facts.root, error);
    }
  }
}

/** For changes that nobody could claim: the root has to be looked at afterwards. */
class Unclaimed implements Claim {
  readonly id = undefined;
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  async resize(): Promise<boolean> {
    return true;
  }

  async noteStaged(): Promise<void> {
    // Nobody would find it.
  }

  async suspend(): Promise<undefined> {
    return undefined;
  }

  async made(): Promise<void> {
    this.#changed();
  }

  async removed(): Promise<void> {
    this.#changed();
  }

  async changed(): Promise<void> {
    this.#changed();
  }

  async move<T extends Moved>(act: (admit: Admit) => Promise<T>): Promise<T> {
    const moved = await act(async () => undefined);
    this.#changed();
    return moved;
  }

  async release(): Promise<void> {
    // Nothing was changed.
  }
}

/** Another name in the same directory. */
function sibling({ rootId, path }: Spot, name: string): Spot {
  return { rootId, path: childPath(parentPath(path), name) };
}

function contentColumns(
  content: Content | undefined,
  claimId: string,
): Pick<EntryRow, 'sha256' | 'verdict' | 'upload_id'> {
  if (content === undefined) return { sha256: null, verdict: null, upload_id: null };
  return { sha256: content.sha256, verdict: content.verdict, upload_id: claimId };
}

/**
 * What was there before is gone; what is there now is what was moved, or what was put in its place before it was. Answers
 * whether it is a directory of which nobody can say what is known of what is in it.
 */
async function noteMove(
  writer: Writer,
  from: Spot,
  path: VirtualPath,
  { found, user }: { readonly found: StoredAttributes | undefined; readonly user: string },
): Promise<boolean> {
  if (from.path === path) return false;
  const to = { rootId: from.rootId, path };
  const maker = await claimantAt(writer, from);
  await moveEntries(writer, from, path);
  const known = findEntry(writer, to);
  if (found === undefined || (known !== undefined && isCurrent(knownEntry(known), found))) return false;
  // Whoever made it has not noted it yet, and will add its hash (`setMovedContent`).
  putEntry(writer, to, {
    ...columnsOf(found),
    user: maker ?? known?.user ?? user,
    sha256: null,
    verdict: null,
    upload_id: null,
    stored_at: new Date().toISOString(),
  });
  return found.kind === 'directory';
}

async function outcomeOf<T>(
  act: () => Promise<T>,
): Promise<{ readonly moved: T } | { readonly error: unknown }> {
  try {
    return { moved: await act() };
  } catch (error) {
    return { error };
  }
}
