/** Receipts of uploads: `<root>/.scpd/receipts/USER/NAME`. Written whole, and the oldest removed when there are too many. */
import { readdirSync } from 'node:fs';
import { receiptsAreaName } from '../guard/receipt-path.ts';
import { receiptsMax, receiptsPruneEvery } from '../limits.ts';
import { at, itself, openFlags, release } from './descriptor.ts';
import { host } from './host-calls.ts';
import { openRoot } from './open-root.ts';
import { enterOrMake, openOwnArea, openStagingArea, stagedName } from './staging-area.ts';

export interface NewReceipt {
  /** Sorts by age. */
  readonly name: string;
  readonly id: string;
  readonly text: string;
}

/** The receipts of one user. One of these writes at a time. */
export class ReceiptArea {
  readonly #rootHostPath: string;
  readonly #rootInode: string | undefined;
  readonly #user: string;
  /** What an earlier run left is looked at with the first one. */
  #sincePruned = receiptsPruneEvery;

  /** @param root as a user has it */
  constructor(root: { readonly root: string; readonly rootInode?: string }, user: string) {
    this.#rootHostPath = root.root;
    this.#rootInode = root.rootInode;
    this.#user = user;
  }

  /** Not fsynced: what a power cut takes stands in the journal as well. Throws host errors and ScpdError. */
  async write(receipt: NewReceipt): Promise<void> {
    const opened: number[] = [];
    const hold = (descriptor: number): number => {
      opened.push(descriptor);
      return descriptor;
    };
    try {
      const root = hold(openRoot(this.#rootHostPath, this.#rootInode));
      const directory = hold(enterOrMake(hold(openOwnArea(root, receiptsAreaName)), this.#user));
      const staged = at(hold(openStagingArea(root)), stagedName(receipt.id));
      await writeWhole(staged, receipt.text);
      await host.rename(staged, at(directory, receipt.name));
      this.#sincePruned += 1;
      if (this.#sincePruned >= receiptsPruneEvery) await this.#prune(directory);
    } finally {
      opened.forEach(release);
    }
  }

  async #prune(directory: number): Promise<void> {
    this.#sincePruned = 0;
    const names = readdirSync(itself(directory)).toSorted();
    for (const name of names.slice(0, Math.max(0, names.length - receiptsMax)))
      await host.unlink(at(directory, name));
  }
}

async function writeWhole(path: string | Buffer, text: string): Promise<void> {
  const file = await host.open(path, openFlags.newFile, 0o600);
  try {
    const bytes = Buffer.from(text);
    for (let done = 0; done < bytes.length;)
      done += (await host.write(file, bytes, done, bytes.length - done, done)).bytesWritten;
  } catch (error) {
    await host.unlink(path);
    throw error;
  } finally {
    await host.close(file);
  }
}
