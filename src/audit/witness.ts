/**
 * A witness gets the journal's head at each checkpoint, as `scpd audit head` prints it: a file that somebody else keeps, or
 * whoever answers an HTTP POST. Only the newest head counts, so nothing piles up behind one that is slow.
 */
import { appendFile } from 'node:fs/promises';
import { auditWitnessMs } from '../limits.ts';
import type { JournalCopy } from './copies.ts';
import { recordIn } from './recover.ts';
import { isUrl } from './witness-target.ts';

export class Witness implements JournalCopy {
  readonly name = 'witness';
  lost = 0;
  readonly target: string;
  #next: string | undefined;
  #sending: Promise<void> | undefined;

  /** @param target an absolute path, or an http or https URL */
  constructor(target: string) {
    this.target = target;
  }

  push(lines: readonly string[]): void {
    const line = lines.findLast((one) => one.includes('"operation":"checkpoint"'));
    const record = line === undefined ? undefined : recordIn(line);
    if (record?.operation !== 'checkpoint') return;
    if (this.#next !== undefined) this.lost += 1;
    this.#next = `${record.seq}:${record.hash} ${record.time}\n`;
    this.#sending ??= this.#send().finally(() => (this.#sending = undefined));
  }

  async settled(): Promise<void> {
    await this.#sending;
  }

  close(): void {
    if (this.#sending !== undefined) this.lost += 1;
    this.#next = undefined;
  }

  async #send(): Promise<void> {
    for (let head = this.#next; head !== undefined; head = this.#next) {
      this.#next = undefined;
      try {
        await tell(this.target, head);
      } catch {
        this.lost += 1; // the next one says more than this one did
      }
    }
  }
}

async function tell(target: string, head: string): Promise<void> {
  if (!isUrl(target)) {
    await appendFile(target, head, { mode: 0o600 });
    return;
  }
  const answer = await fetch(target, {
    method: 'POST',
    body: head,
    headers: { 'content-type': 'text/plain' },
    redirect: 'error',
    signal: AbortSignal.timeout(auditWitnessMs),
  });
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`answered ${answer.status}`);
}
