/** The journal of a configuration: how a server opens it, what it says about itself in it, and what a crash left unsaid. */
import type { Logger } from 'pino';
import { openFileJournal, type FileJournal } from './audit/file-journal.ts';
import type { JournalCopies, JournalCopy } from './audit/copies.ts';
import type { Receipts } from './audit/receipts.ts';
import { serverRecord, type AuditRecord } from './audit/record.ts';
import { Witness } from './audit/witness.ts';
import type { Config } from './config/config.ts';
import { StdoutCopy } from './observe/stdout-copy.ts';
import { SyslogCopy, syslogTarget } from './observe/syslog-copy.ts';
import { isProcessAlive, ownProcess } from './storage/process-identity.ts';
import { ReceiptArea } from './storage/receipt-area.ts';
import { orphanBytes } from './storage/staging-area.ts';

/** What is told of lines that are on disk. */
export interface Followers {
  readonly receipts: Receipts;
  readonly copies: JournalCopies;
}

interface ForTheJournal extends Followers {
  readonly log: Logger;
}

/** Has receipts made for those who are to have them. */
export function configureReceipts(config: Config, { receipts }: Followers): void {
  receipts.configure(receiptAreas(config));
}

/** Has records copied to where a configuration says. */
export function configureCopies(config: Config, { copies }: Followers): void {
  copies.configure(copiesOf(config));
}

function copiesOf({ audit: { syslog, stdout, witness } }: Config): JournalCopy[] {
  const target = syslog === undefined ? undefined : syslogTarget(syslog);
  return [
    ...(target === undefined ? [] : [new SyslogCopy(target)]),
    ...(stdout ? [new StdoutCopy()] : []),
    ...(witness === undefined ? [] : [new Witness(witness)]),
  ];
}

/** @param inherited what is open in it and others go on with: transfer or session → process */
export async function openJournal(
  config: Config,
  { log, receipts, copies }: ForTheJournal,
  inherited?: ReadonlyMap<string, string>,
): Promise<FileJournal> {
  const { dir: directory, onFailure, fileBytesMax, fileMsMax, keep } = config.audit;
  configureReceipts(config, { receipts, copies });
  configureCopies(config, { receipts, copies });
  try {
    const journal = await openFileJournal({
      directory,
      sync: config.durability === 'full',
      onFailure,
      fileBytesMax,
      fileMsMax,
      keep,
      processes: { own: ownProcess, isAlive: isProcessAlive },
      log,
      bytesOf: await orphansOf(config, log),
      onWritten: (lines) => {
        receipts.saw(lines);
        copies.push(lines);
      },
      followUp: () => receipts.settled(),
      ...(inherited && { inherited }),
    });
    receipts.begin(journal.key);
    return journal;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`cannot open the audit journal in ${directory}: ${reason}`, { cause: error });
  }
}

/** Which rules hold from now on: the hash tells one configuration from another. */
export function configRecord({ path, sha256 }: Config): AuditRecord {
  return serverRecord({ operation: 'config', outcome: 'done', path, sha256 });
}

/** Where receipts of users go who get any. */
function receiptAreas({ users }: Config): Map<string, ReceiptArea> {
  const having = users.filter(({ user }) => user.receipts === true);
  return new Map(having.map(({ user }) => [user.name, new ReceiptArea(user, user.name)]));
}

/** Each once: users may share them. */
export function rootsOf(config: Config): Set<string> {
  return new Set(config.users.map(({ user }) => user.root));
}

/** How much had come of uploads whose process is gone. */
export async function orphansOf(
  config: Config,
  log: Logger,
): Promise<(upload: string) => number | undefined> {
  const left = new Map<string, number>();
  for (const root of rootsOf(config)) {
    try {
      for (const [upload, bytes] of await orphanBytes(root)) left.set(upload, bytes);
    } catch (error) {
      log.warn({ err: error, root }, 'what a crash left can not be looked at'); // nor can it be swept: that says more
    }
  }
  return (upload) => left.get(upload);
}
