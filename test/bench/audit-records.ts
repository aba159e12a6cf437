/** The journal of a server that has been busy for a month, for as long as there is none. */
import { openFileJournal, type FileJournal } from '../../src/audit/file-journal.ts';
import type { AuditRecord } from '../../src/audit/record.ts';

export const monthMs = 30 * 86_400_000;
/** Between two records. */
const apartMs = 250;
const beganMs = Date.now() - monthMs;

/** When a record is written. */
export function recordMs(index: number): number {
  return beganMs + index * apartMs;
}

/** Has the clock stand where `nowMs` says, until the answer is called: what a journal adds by itself has the time of its records. */
export function setClock(nowMs: () => number): () => void {
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    constructor(time?: number | string) {
      super(time ?? nowMs());
    }

    static override now(): number {
      return nowMs();
    }
  } as DateConstructor;
  return () => void (globalThis.Date = RealDate);
}

/** One as it is by default, but that only its size closes a file. Complaints are printed. */
export async function openBenchJournal(
  directory: string,
  { sync }: { readonly sync: boolean },
): Promise<FileJournal> {
  return await openFileJournal({
    directory,
    sync,
    onFailure: 'refuse',
    fileBytesMax: 64 * 1024 * 1024,
    fileMsMax: 366 * 86_400_000,
    keep: {},
    processes: { own: 'bench', isAlive: () => false },
    log: { info: () => undefined, warn: complain, error: complain },
  });
}

function complain(fields: object, words: string): void {
  process.stderr.write(`${words}: ${JSON.stringify(fields)}\n`);
}

/** Two for each upload, of now: its begin and its end. */
export function transferRecord(index: number): AuditRecord {
  const upload = Math.floor(index / 2);
  const hex = upload.toString(16).padStart(12, '0');
  const ended = {
    phase: 'end',
    bytes: 1024,
    sha256: hex.padStart(64, '5'),
    mode: '0644',
    durationMs: 40,
    verdict: 'closed',
  } as const;
  return {
    time: new Date().toISOString(),
    connection: `01938f00-0000-7000-8000-${hex}`,
    session: `01938f00-0001-7000-8000-${hex}`,
    user: `user${upload % 50}`,
    key: `SHA256:${'A'.repeat(43)}`,
    address: `192.0.2.${upload % 250}`,
    client: 'OpenSSH_9.2p1 Debian-2',
    protocol: 'sftp',
    operation: 'upload',
    transfer: `01938f00-0002-7000-8000-${hex}`,
    direction: 'in',
    outcome: 'done',
    path: `/rows/${upload % 1000}/file-${upload}`,
    ...(index % 2 === 0 ? { phase: 'begin' } : ended),
  };
}
