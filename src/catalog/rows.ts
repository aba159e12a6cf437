/** Between rows of the table of entries and the words of the guard and the disk. */
import { modifiedMsOf, type KnownEntry } from '../guard/ledger.ts';
import type { StoredAttributes } from '../guard/store.ts';
import type { EntryRow, NewEntry } from './tables.ts';

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

/** What may be put at another key. */
export function withoutKey({
  root_id: _root,
  path: _path,
  ...rest
}: EntryRow): Omit<EntryRow, 'root_id' | 'path'> {
  return rest;
}
