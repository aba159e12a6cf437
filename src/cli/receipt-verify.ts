/** `scpd receipt verify`: whether a receipt is what the server signed, and whether a file is the one that it is about. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { PublicJournalKey } from '../audit/journal-key.ts';
import { readReceipt, type ReceiptReading, type ReceiptStatement } from '../audit/receipt.ts';
import { receiptBytesMax } from '../limits.ts';
import { printable } from '../name-bytes.ts';
import { findKey } from './audit-common.ts';
import type { Command, ExitCode } from './command.ts';
import { configOption, loadReported } from './config-option.ts';
import { printLine, printProblem } from './output.ts';

export const command: Command = {
  description: `Checks a receipt that was fetched from ".receipts/" of a server: that it says what the server signed.
It needs the public half of the journal's key (journal-key.pub, in the audit directory), and nothing
else of the server. Take it from the operator, not from the same place as the receipt.

--file FILE  also compares size and SHA-256 with a file, such as the one that was sent

Exit code 0: it is good. 1: it is not, or the file is another one. 2: nothing was checked.`,
  arguments: [{ name: 'RECEIPT', summary: 'the file that was fetched', required: true }],
  options: {
    key: {
      value: 'FILE',
      summary: "the journal's public key, instead of that of the configuration",
      default: '',
    },
    file: { value: 'FILE', summary: 'a file to compare with the receipt', default: '' },
    ...configOption,
    json: { summary: 'print one JSON object' },
  },

  async run(values) {
    const { RECEIPT: receiptFile = '', file = '', json = '' } = values;
    const key = await keyFrom(values);
    const text = await readReported(receiptFile);
    if (key === undefined || text === undefined) return 2;
    const reading = readReceipt(text, key);
    if (reading.kind !== 'good') return tell({ ok: false, problem: problemOf(reading, key) }, json);
    const { statement } = reading;
    if (file === '') return tell({ ok: true, statement }, json);
    const found = await digestReported(file);
    if (found === undefined) return 2;
    const isSame = found.size === statement.size && found.sha256 === statement.sha256;
    const problem = `the receipt is good, but ${printable(file)} is not the file that it is about: it has ${found.size} bytes with SHA-256 ${found.sha256}, not ${statement.size} with ${statement.sha256}`;
    return tell(isSame ? { ok: true, statement, file } : { ok: false, problem, statement, file }, json);
  },
};

async function keyFrom(values: Readonly<Record<string, string>>): Promise<PublicJournalKey | undefined> {
  const { key = '', config = '' } = values;
  if (key !== '') return await findKey('', key);
  const directory = (await loadReported(config))?.audit.dir;
  return directory === undefined ? undefined : await findKey(directory, '');
}

/** A receipt is small; of what is not, only so much is read that it is no receipt. */
async function readReported(path: string): Promise<string | undefined> {
  try {
    const handle = await open(path);
    try {
      const buffer = Buffer.alloc(receiptBytesMax);
      let done = 0;
      for (;;) {
        const { bytesRead } = await handle.read(buffer, done, buffer.length - done);
        if (bytesRead === 0) return buffer.toString('utf8', 0, done);
        done += bytesRead;
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    return unreadable(path, error);
  }
}

async function digestReported(
  path: string,
): Promise<{ readonly size: number; readonly sha256: string } | undefined> {
  try {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
      const bytes = chunk as Buffer;
      hash.update(bytes);
      size += bytes.length;
    }
    return { size, sha256: hash.digest('hex') };
  } catch (error) {
    return unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): undefined {
  const reason = error instanceof Error ? error.message : String(error);
  printProblem(`scpd: can't read ${printable(path)}: ${printable(reason)}`);
}

function problemOf(
  reading: Exclude<ReceiptReading, { readonly kind: 'good' }>,
  key: PublicJournalKey,
): string {
  if (reading.kind === 'no-receipt') return `this is no receipt: ${reading.reason}`;
  if (reading.kind === 'changed') return 'the receipt was changed, or this key did not sign it';
  return `the receipt is signed by the key ${printable(reading.signer, 80)}, this one is ${key.id}`;
}

interface Verdict {
  readonly ok: boolean;
  readonly problem?: string;
  readonly statement?: ReceiptStatement;
  readonly file?: string;
}

function tell(verdict: Verdict, json: string): ExitCode {
  if (json !== '') printLine(JSON.stringify(verdict));
  else if (verdict.statement !== undefined && verdict.ok) printLine(wordsOf(verdict.statement, verdict.file));
  else printProblem(`scpd: ${verdict.problem ?? ''}`);
  return verdict.ok ? 0 : 1;
}

function wordsOf(statement: ReceiptStatement, file: string | undefined): string {
  const { path, size, sha256, time, verdict, user, key, record, recordHash } = statement;
  const lines = [
    `good: ${printable(path, 4096)}, ${size} bytes, ${verdict}`,
    `  SHA-256 ${sha256}`,
    `  stored at ${time}, sent by ${printable(user)} with the key ${printable(key)}`,
    `  record ${record}:${recordHash} of the journal`,
  ];
  if (file !== undefined) lines.push(`  ${printable(file)} is that file`);
  return lines.join('\n');
}
