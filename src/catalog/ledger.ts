/**
 * One user in one root, as the guard sees it. A change that was made is noted from what the disk shows while the
 * database is locked, so the last one to note a name has seen it last, whatever order the changes came in. Whoever finds
 * that another one's change is there already leaves the noting to that one: its own claim is still open.
 */
import { v7 as newId } from 'uuid';
import {
  isCurrent,
  modifiedMsOf,
  type Claim,
  type ClaimRequest,
  type Content,
  type KnownEntry,
  type Ledger,
  type Look,
  type Moved,
  type Quota,
  type Usage,
} from '../guard/ledger.ts';
import type { KeptVersion, StoredAttributes } from '../guard/store.ts';
import { versionDirectory } from '../guard/version-path.ts';
import { childPath, parentPath, type VirtualPath } from '../guard/virtual-path.ts';
import type { Database } from './database.ts';
import {
  findEntry,
  latestStoredAt,
  moveEntries,
  putEntry,
  removeEntries,
  setVersionContent,
  type Spot,
} from './entries.ts';
import { asPath, pathOf } from './path-bytes.ts';
import { addReservation, endReservation, resizeReservation } from './reservations.ts';
import type { EntryRow, NewEntry, ReservationRow, Writer } from './tables.ts';
import { usageOf } from './usage.ts';

export interface LedgerFacts {
  readonly database: Database;
  /** The process that claims: its claims end with it. */
  readonly process: string;
  readonly rootId: number;
  readonly user: string;
  readonly quota: Quota;
}

export class CatalogLedger implements Ledger {
  readonly #facts: LedgerFacts;

  constructor(facts: LedgerFacts) {
    this.#facts = facts;
  }

  async claim(request: ClaimRequest): Promise<Claim | undefined> {
    const { path, target, bytes, creates, apart = false } = request;
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
    const isGranted = await database.write((writer) => addReservation(writer, reservation, quota));
    return isGranted
      ? new CatalogClaim(id, { ...this.#facts, retained: request.retained === true })
      : undefined;
  }

  async usage(): Promise<Usage> {
    return await usageOf(this.#facts.database.read, this.#facts.user);
  }

  async entryAt(path: VirtualPath): Promise<KnownEntry | undefined> {
    const row = await findEntry(this.#facts.database.read, { rootId: this.#facts.rootId, path });
    return row === undefined ? undefined : knownEntry(row);
  }
}

class CatalogClaim implements Claim {
  readonly #id: string;
  readonly #facts: LedgerFacts & { readonly retained: boolean };

  constructor(id: string, facts: LedgerFacts & { readonly retained: boolean }) {
    this.#id = id;
    this.#facts = facts;
  }

  async resize(bytes: number): Promise<boolean> {
    const { database, quota } = this.#facts;
    return await database.write((writer) => resizeReservation(writer, this.#id, { bytes, quota }));
  }

  async made(look: Look, content?: Content): Promise<void> {
    await this.#end(async (writer, spot) => {
      const place = content?.name === undefined ? spot : sibling(spot, content.name);
      await this.#keep(writer, place, content?.kept);
      const found = look();
      if (found === undefined) return;
      if (content !== undefined && content.inode !== found.inode) {
        await noteContentOfVersion(writer, place, content);
        return;
      }
      await putEntry(writer, place, {
        ...columnsOf(found),
        user: this.#facts.user,
        sha256: content?.sha256 ?? null,
        verdict: content?.verdict ?? null,
        upload_id: content === undefined ? null : this.#id,
        stored_at: await this.#storedAt(writer),
      });
    });
  }

  async removed(look: Look, kept?: KeptVersion): Promise<void> {
    await this.#end(async (writer, spot) => {
      await this.#keep(writer, spot, kept);
      if (look() === undefined) await removeEntries(writer, spot);
    });
  }

  async changed(look: Look, before: StoredAttributes): Promise<void> {
    await this.#end(async (writer, spot) => {
      const [found, old] = [look(), await findEntry(writer, spot)];
      if (found?.inode !== before.inode || old === undefined) return;
      await putEntry(writer, spot, {
        ...withoutKey(old),
        ...columnsOf(found),
        ...(isCurrent(knownEntry(old), before) ? {} : { sha256: null, verdict: null }),
      });
    });
  }

  async moved(look: Look, moved?: Moved): Promise<void> {
    await this.#end(async (writer, from, { target }) => {
      if (target === null) throw new TypeError('a claim without a target');
      const to = { rootId: from.rootId, path: moved?.to ?? asPath(target) };
      await this.#keep(writer, to, moved?.kept);
      if ((await findEntry(writer, from)) === undefined) await removeStale(writer, to, look());
      else await moveEntries(writer, from, to.path);
    });
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
    const old = await findEntry(writer, spot);
    const isKnown = old !== undefined && isCurrent(knownEntry(old), kept.attributes);
    await putEntry(
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

  async #end(note: (writer: Writer, spot: Spot, row: ReservationRow) => Promise<void>): Promise<void> {
    await this.#facts.database.write(async (writer) => {
      const row = await endReservation(writer, this.#id);
      if (row === undefined) return;
      // Not the path that was claimed: the directory may have been renamed meanwhile.
      await note(writer, { rootId: row.root_id, path: pathOf(row) }, row);
    });
  }
}

/** Another name in the same directory. */
function sibling({ rootId, path }: Spot, name: string): Spot {
  return { rootId, path: childPath(parentPath(path), name) };
}

/** Another one has the name already, and has made a version of what this one stored: its hash is known only here. */
async function noteContentOfVersion(writer: Writer, { rootId, path }: Spot, content: Content): Promise<void> {
  const { inode, sha256, verdict } = content;
  await setVersionContent(writer, { rootId, path: versionDirectory(path) }, { inode, sha256, verdict });
}

/** A row in the guard's words. */
export function knownEntry(row: EntryRow): KnownEntry {
  return {
    kind: row.kind,
    sizeBytes: row.bytes,
    inode: row.inode,
    modifiedMs: row.modified_ms,
    user: row.user,
    sha256: row.sha256,
    verdict: row.verdict,
    storedAt: row.stored_at,
  };
}

/** What a row has from the disk. Only what is in files counts as bytes. */
export function columnsOf(
  found: StoredAttributes,
): Pick<NewEntry, 'kind' | 'bytes' | 'modified_ms' | 'inode'> {
  return {
    kind: found.kind,
    bytes: found.kind === 'file' ? found.sizeBytes : 0,
    modified_ms: modifiedMsOf(found),
    inode: found.inode,
  };
}

function withoutKey({ root_id: _root, path: _path, ...rest }: EntryRow): Omit<EntryRow, 'root_id' | 'path'> {
  return rest;
}

/** Something that nobody knew of was moved here: what was known to be here is gone. */
async function removeStale(writer: Writer, to: Spot, found: StoredAttributes | undefined): Promise<void> {
  const known = await findEntry(writer, to);
  if (known !== undefined && known.inode !== found?.inode) await removeEntries(writer, to);
}
