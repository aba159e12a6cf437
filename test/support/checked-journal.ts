/** A journal in memory that checks each record against the published schema, for tests of what gets recorded. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { recordSchema } from '../../src/audit/record-schema.ts';
import { chain, genesis, type Head } from '../../src/audit/chain.ts';
import { OpenEntries } from '../../src/audit/open-entries.ts';
import type { Journal, AuditRecord, SessionFacts, WrittenRecord } from '../../src/audit/record.ts';
import { ScpdError } from '../../src/errors.ts';

const validate = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(
  recordSchema,
);

/** Throws an Error that says what is wrong with a record. */
export function checkRecord(record: unknown): void {
  if (!validate(record)) throw new Error(`${JSON.stringify(record)}: ${JSON.stringify(validate.errors)}`);
}

export class CheckedJournal implements Journal {
  /** As they would be written. */
  readonly records: WrittenRecord[] = [];
  readonly #entries = new OpenEntries();
  #head: Head = genesis;
  /** Set to make the journal behave as one whose disk is full. */
  failing = false;

  ensureWritable(): void {
    if (this.failing) throw new ScpdError('AUDIT_FAILED');
  }

  append(record: AuditRecord): boolean {
    const { seq, hash, line } = chain(record, this.#head, { attempt: this.#entries.attempt(record) });
    this.#head = { seq, hash };
    const written = JSON.parse(line) as WrittenRecord;
    checkRecord(written);
    this.#entries.saw(record, { seq, process: 'test' });
    this.records.push(written);
    return true;
  }

  /** What was begun and has no end. */
  get open(): readonly AuditRecord[] {
    return this.#entries.of().map(({ begin }) => begin);
  }

  async settled(): Promise<void> {
    this.ensureWritable();
  }
}

export const testSession: SessionFacts = {
  connection: 'connection-1',
  session: 'session-1',
  user: 'alice',
  key: `SHA256:${'A'.repeat(43)}`,
  address: '127.0.0.1',
  client: 'OpenSSH_9.2',
  protocol: 'sftp',
};
