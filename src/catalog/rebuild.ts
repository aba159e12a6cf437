/**
 * Makes the catalog again: what is stored from the disk, hashed anew, and who sent it, when and how surely from the audit
 * journal. A file is known again by its hash, because it may have been renamed since it came; among several uploads of
 * the same content the one to the same path counts, else the last one.
 */
import type { AuditRecord } from '../audit/record.ts';
import { ScpdError, type ErrorCode } from '../errors.ts';
import type { Store } from '../guard/store.ts';
import { isStoredVersion, originalOf, shownVersionPath } from '../guard/version-path.ts';
import { rootPath, type VirtualPath } from '../guard/virtual-path.ts';
import { auditTextMax } from '../limits.ts';
import { printable } from '../name-bytes.ts';
import { countsAt, ownerIn, type CatalogRoot, type SqliteCatalog } from './catalog.ts';
import { findEntry, putEntry } from './entries.ts';
import { sql } from './kysely.ts';
import { columnsOf } from './rows.ts';
import { lookAt, walkStored, type Surveyed } from './survey.ts';
import type { EntryRow, Writer } from './tables.ts';
import { hashedFile } from './verify.ts';

/** Uploads of the journal, for as long as this connection lasts. */
interface ReceivedTable {
  sha256: string;
  /** As the journal has it: printable. */
  path: string;
  user: string;
  verdict: 'verified' | 'closed';
  time: string;
}

// A type, not an interface: the query builder wants an index signature.
type Received = { received: ReceivedTable };

/** Records in one transaction while the journal is read. */
const recordsPerBatch = 500;

/** Reads the uploads of a journal, line by line; they are forgotten when the catalog is closed. */
export async function loadJournal(catalog: SqliteCatalog, lines: AsyncIterable<string>): Promise<number> {
  const { database } = catalog;
  await database.write(async (writer) => {
    await sql`create temporary table if not exists received
      (sha256 text, path text, user text, verdict text, time text)`.execute(writer);
    await sql`create index if not exists temp.received_sha256 on received (sha256)`.execute(writer);
  });
  let count = 0;
  let batch: ReceivedTable[] = [];
  const flush = async (): Promise<void> => {
    const rows = batch;
    batch = [];
    count += rows.length;
    if (rows.length > 0) await database.write((writer) => insertReceived(writer, rows));
  };
  for await (const line of lines) {
    const upload = uploadIn(line);
    if (upload !== undefined) batch.push(upload);
    if (batch.length >= recordsPerBatch) await flush();
  }
  await flush();
  return count;
}

export interface RebuildRequest {
  readonly catalog: SqliteCatalog;
  readonly root: CatalogRoot;
  readonly store: Store;
  readonly below: VirtualPath;
  readonly progress: (done: { readonly files: number; readonly bytes: number }) => void;
  /** Told of each file that can't be read. */
  readonly problem: (path: VirtualPath, error: ErrorCode) => void;
}

export interface RebuildCounts {
  files: number;
  /** Of these, those that the journal knows. */
  received: number;
}

/** Makes what is known at and below a path again. The journal's uploads must have been loaded. Throws ScpdError. */
export async function rebuild(request: RebuildRequest): Promise<RebuildCounts> {
  const { catalog, root, store, below, progress } = request;
  if (below === rootPath) await catalog.survey(root, store);
  const counts: RebuildCounts = { files: 0, received: 0 };
  for await (const entry of walkStored(store, below)) {
    if (entry.attributes.kind !== 'file') continue;
    counts.files += 1;
    if (await tryFile(request, entry)) counts.received += 1;
    progress({ files: 1, bytes: 0 });
  }
  return counts;
}

async function tryFile(request: RebuildRequest, entry: Surveyed): Promise<boolean> {
  try {
    return await rebuildFile(request, entry);
  } catch (error) {
    if (!(error instanceof ScpdError)) throw error;
    if (error.code !== 'NOT_FOUND') request.problem(entry.path, error.code);
    return false;
  }
}

/** Whether the journal knows it. A file that is replaced or removed while it is read is left to whoever does that. */
async function rebuildFile(
  { catalog, root, store, progress }: RebuildRequest,
  { path }: Surveyed,
): Promise<boolean> {
  const { sha256, found } = await hashedFile(store, path, (bytes) => progress({ files: 0, bytes }));
  if (found === undefined) return false;
  const rootId = await catalog.rootId(root);
  return await catalog.database.write(async (writer) => {
    const now = await lookAt(store, path);
    if (now?.inode !== found.inode || now.sizeBytes !== found.sizeBytes) return false;
    const spot = { rootId, path };
    const old = findEntry(writer, spot);
    // A version came as the file that it was.
    const sentAs = isStoredVersion(path) ? originalOf(shownVersionPath(path)) : path;
    const received = await findReceived(writer, sha256, { path: sentAs, users: root.users });
    const isSame = old !== undefined && old.inode === now.inode && old.sha256 === sha256;
    const { user, verdict, upload_id, stored_at } = isSame
      ? old
      : factsFrom(received, old?.user ?? ownerIn(root));
    const facts = {
      sha256,
      user,
      verdict,
      upload_id,
      stored_at,
      counts: old?.counts ?? countsAt(root, path),
    };
    putEntry(writer, spot, { ...columnsOf(now), ...facts });
    return received !== undefined;
  });
}

function factsFrom(
  received: ReceivedTable | undefined,
  owner: string | null,
): Pick<EntryRow, 'user' | 'verdict' | 'upload_id' | 'stored_at'> {
  return {
    user: received?.user ?? owner,
    verdict: received?.verdict ?? null,
    upload_id: null,
    stored_at: received?.time ?? new Date().toISOString(),
  };
}

async function insertReceived(writer: Writer, rows: readonly ReceivedTable[]): Promise<void> {
  await writer.withTables<Received>().insertInto('received').values(rows).execute();
}

async function findReceived(
  writer: Writer,
  sha256: string,
  { path, users }: { readonly path: VirtualPath; readonly users: readonly string[] },
): Promise<ReceivedTable | undefined> {
  const shown = printable(path, auditTextMax);
  return await writer
    .withTables<Received>()
    .selectFrom('received')
    .selectAll()
    .where('sha256', '=', sha256)
    .where('user', 'in', users)
    .orderBy((order) => order.case().when('path', '=', shown).then(0).else(1).end())
    .orderBy('time', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** The upload that a line of the journal tells of, if any. Lines that are torn or of another shape are passed over. */
function uploadIn(line: string): ReceivedTable | undefined {
  if (!line.includes('"upload"')) return undefined;
  let record: Partial<AuditRecord> | null;
  try {
    record = JSON.parse(line) as Partial<AuditRecord> | null;
  } catch {
    return undefined;
  }
  if (record?.operation !== 'upload' || record.outcome !== 'done') return undefined;
  const { sha256, path, stored, user, verdict, time } = record;
  if (verdict !== 'verified' && verdict !== 'closed') return undefined;
  if (typeof sha256 !== 'string' || typeof user !== 'string' || typeof time !== 'string') return undefined;
  return { sha256, path: String(stored ?? path), user, verdict, time };
}
