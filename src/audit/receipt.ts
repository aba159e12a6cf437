/**
 * A receipt: what the server says of one upload, signed with the journal's key. What is signed is the line
 * `scpd receipt` and the statement as JSON without spaces, its fields in the order below; a receipt that has other fields
 * is none, so nothing in one can be read that was not signed.
 */
import type { JournalKey, PublicJournalKey } from './journal-key.ts';
import type { WrittenRecord } from './record.ts';

export interface ReceiptStatement {
  /** As in the journal: the name that the sender gave, printable. */
  readonly path: string;
  /** Base64 of its bytes, where `path` can't show them. */
  readonly pathBytes: string | null;
  readonly size: number;
  /** Hex, of the whole file. */
  readonly sha256: string;
  /** When the file stood under its name; ISO 8601 UTC. */
  readonly time: string;
  /** `verified`: the sender declared the size, and all of it came. `closed`: the sender closed the file. */
  readonly verdict: string;
  readonly user: string;
  /** Fingerprint of the sender's key. */
  readonly key: string;
  readonly transfer: string;
  /** The record in the journal: its number and hash. */
  readonly record: number;
  readonly recordHash: string;
  /** Fingerprint of the key that signs. */
  readonly signer: string;
}

const textFields = ['path', 'sha256', 'time', 'verdict', 'user', 'key', 'transfer', 'recordHash', 'signer'];
const numberFields = ['size', 'record'];

/** In the order in which they are signed. */
const fields: readonly (keyof ReceiptStatement)[] = [
  'path',
  'pathBytes',
  'size',
  'sha256',
  'time',
  'verdict',
  'user',
  'key',
  'transfer',
  'record',
  'recordHash',
  'signer',
];

/** What an upload that succeeded gets; undefined for other records. */
export function receiptFor(record: WrittenRecord, signer: string): ReceiptStatement | undefined {
  const { operation, phase, outcome, path, user, key, bytes, sha256, verdict, transfer } = record;
  if (operation !== 'upload' || phase !== 'end' || outcome !== 'done') return undefined;
  if (path === null || user === null || key === null) return undefined;
  if (bytes === undefined || sha256 === undefined || verdict === undefined || transfer === undefined)
    return undefined;
  const { pathBytes = null, time, seq, hash } = record;
  const whom = { user, key, transfer, record: seq, recordHash: hash, signer };
  return { path, pathBytes, size: bytes, sha256, time, verdict, ...whom };
}

/** The file that the sender gets. */
export function signedReceipt(statement: ReceiptStatement, key: JournalKey): string {
  const signature = key.sign(signedText(statement));
  return `${JSON.stringify({ scpdReceipt: 1, statement, signature }, null, 2)}\n`;
}

function signedText(statement: ReceiptStatement): string {
  return `scpd receipt\n${JSON.stringify(statement, [...fields])}\n`;
}

export type ReceiptReading =
  | { readonly kind: 'good'; readonly statement: ReceiptStatement }
  /** It says that another key signed it. */
  | { readonly kind: 'other-key'; readonly signer: string }
  | { readonly kind: 'changed' }
  | { readonly kind: 'no-receipt'; readonly reason: string };

/** Whether a text is a receipt, as it was signed with the key. */
export function readReceipt(text: string, key: PublicJournalKey): ReceiptReading {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'no-receipt', reason: 'it is no JSON' };
  }
  if (!isObject(value) || value['scpdReceipt'] !== 1)
    return { kind: 'no-receipt', reason: 'it has no "scpdReceipt": 1' };
  const { statement, signature } = value;
  if (typeof signature !== 'string' || !hasKeys(value, ['scpdReceipt', 'statement', 'signature']))
    return { kind: 'no-receipt', reason: 'it has other fields than a receipt' };
  if (!isStatement(statement))
    return { kind: 'no-receipt', reason: 'its statement has other fields than a receipt' };
  if (key.verifies(signedText(statement), signature) && statement.signer === key.id)
    return { kind: 'good', statement };
  return statement.signer === key.id ? { kind: 'changed' } : { kind: 'other-key', signer: statement.signer };
}

function isStatement(value: unknown): value is ReceiptStatement {
  return (
    isObject(value) &&
    hasKeys(value, fields) &&
    textFields.every((field) => typeof value[field] === 'string') &&
    numberFields.every((field) => Number.isSafeInteger(value[field])) &&
    (value['pathBytes'] === null || typeof value['pathBytes'] === 'string')
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasKeys(value: Record<string, unknown>, keys: readonly string[]): boolean {
  return Object.keys(value).length === keys.length && keys.every((key) => Object.hasOwn(value, key));
}
