/** A journal in memory that checks each record against the published schema, for tests of what gets recorded. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { recordSchema } from '../../src/audit/record-schema.ts';
import type { AuditRecord, Journal, SessionFacts } from '../../src/audit/record.ts';
import { ScpdError } from '../../src/errors.ts';

const validate = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(
  recordSchema,
);

/** Throws an Error that says what is wrong with a record. */
export function checkRecord(record: unknown): void {
  if (!validate(record)) throw new Error(`${JSON.stringify(record)}: ${JSON.stringify(validate.errors)}`);
}

export class CheckedJournal implements Journal {
  readonly records: AuditRecord[] = [];
  /** Set to make the journal behave as one whose disk is full. */
  failing = false;

  ensureWritable(): void {
    if (this.failing) throw new ScpdError('AUDIT_FAILED');
  }

  append(record: AuditRecord): boolean {
    checkRecord(record);
    this.records.push(record);
    return true;
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
