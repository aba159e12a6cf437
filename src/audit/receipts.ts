/**
 * Writes receipts of uploads as their records come to the disk. Whoever waits for the journal waits for them, too, so that a
 * sender finds its receipt as soon as it hears of the success; but a root whose disk hangs holds up nobody for longer
 * than a moment, and none of its own twice. A receipt that can't be written changes nothing about the upload.
 */
import { isDoneInTime } from '../in-time.ts';
import { receiptsWaitingMax, receiptNameBytesMax, receiptWaitMs } from '../limits.ts';
import type { JournalLog } from './file-journal.ts';
import type { JournalKey } from './journal-key.ts';
import { receiptFor, signedReceipt, type ReceiptStatement } from './receipt.ts';
import { recordIn } from './recover.ts';

/** Where the receipts of one user go: see `ReceiptArea`. */
export interface ReceiptWriter {
  write(receipt: { readonly name: string; readonly id: string; readonly text: string }): Promise<void>;
}

interface Queue {
  readonly writer: ReceiptWriter;
  waiting: number;
  written: Promise<void>;
  /** It was waited for in vain: nobody waits again until it has caught up. */
  isSlow: boolean;
  isFailing: boolean;
}

export class Receipts {
  readonly #log: JournalLog;
  #key: JournalKey | undefined;
  /** By the names of users who get receipts. */
  #queues = new Map<string, Queue>();

  constructor(log: JournalLog) {
    this.#log = log;
  }

  /** Before this, records get no receipt: they are of the start, and of no upload that succeeded. */
  begin(key: JournalKey): void {
    this.#key = key;
  }

  /** Who gets receipts from now on. */
  configure(writers: ReadonlyMap<string, ReceiptWriter>): void {
    this.#queues = new Map(
      [...writers].map(([user, writer]) => {
        const idle = { waiting: 0, written: Promise.resolve(), isSlow: false, isFailing: false };
        return [user, { ...idle, ...this.#queues.get(user), writer }];
      }),
    );
  }

  /** Told of lines that are on disk. Never throws. */
  saw(lines: readonly string[]): void {
    const key = this.#key;
    if (key === undefined || this.#queues.size === 0) return;
    for (const line of lines) {
      // Few lines are the end of an upload, and only these are parsed.
      if (!line.includes('"operation":"upload"') || !line.includes('"phase":"end"')) continue;
      const record = recordIn(Buffer.from(line));
      const statement = record === undefined ? undefined : receiptFor(record, key.id);
      const queue = statement === undefined ? undefined : this.#queues.get(statement.user);
      if (statement !== undefined && queue !== undefined) this.#enqueue(queue, statement, key);
    }
  }

  /** Resolves when what was seen so far is written, or has been waited for long enough. Never rejects. */
  async settled(): Promise<void> {
    const busy = [...this.#queues.values()].filter(({ waiting, isSlow }) => waiting > 0 && !isSlow);
    if (busy.length === 0) return;
    if (await isDoneInTime(Promise.all(busy.map(({ written }) => written)), receiptWaitMs)) return;
    for (const queue of busy) if (queue.waiting > 0) queue.isSlow = true;
  }

  #enqueue(queue: Queue, statement: ReceiptStatement, key: JournalKey): void {
    if (queue.waiting >= receiptsWaitingMax) {
      this.#failed(queue, statement, 'too many wait for the disk');
      return;
    }
    queue.waiting += 1;
    queue.written = queue.written.then(async () => {
      try {
        await queue.writer.write({
          name: receiptName(statement),
          id: statement.transfer,
          text: signedReceipt(statement, key),
        });
        queue.isFailing = false;
      } catch (error) {
        this.#failed(queue, statement, error);
      }
      queue.waiting -= 1;
      if (queue.waiting === 0) queue.isSlow = false;
    });
  }

  /** Said once until one can be written again. */
  #failed(queue: Queue, { user, path }: ReceiptStatement, error: unknown): void {
    if (!queue.isFailing)
      this.#log.warn(
        { err: error, user, path },
        'a receipt could not be written, nor may those that follow be; the journal has the uploads',
      );
    queue.isFailing = true;
  }
}

/** Such as `20261125T101112.131Z-1234-report.pdf.json`: sorts by age, and its end is what the sender called the file. */
function receiptName({ time, record, path }: ReceiptStatement): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const bytes = Buffer.from(name);
  // Cut where no character is cut in two.
  const shown =
    bytes.length <= receiptNameBytesMax
      ? name
      : bytes.toString('utf8', 0, receiptNameBytesMax).replace(/\u{fffd}$/u, '');
  return `${time.replaceAll(/[-:]/gu, '')}-${record}-${shown}.json`;
}
