/**
 * The chain of records: each line carries the hash of the line before it and its own. So whoever changes, removes,
 * inserts or moves a line must make all later ones again, and can't make the signatures of the checkpoints among them.
 *
 * A line is `{"seq":N,"time":"...",...,"prev":"<hash of the line before>","hash":"<hash>"}`, where the hash is the
 * SHA-256 of all bytes of the line up to `,"hash"`. Nobody needs more than `sha256sum` to check one.
 */
import { hash as digest } from 'node:crypto';
import { auditRawBytesMax, auditTextMax } from '../limits.ts';
import { encodeName, printable } from '../name-bytes.ts';
import type { AuditRecord, JournalFacts } from './record.ts';

/** What stands before the first record. */
export const genesisHash = '0'.repeat(64);

/** The end of a chain: the last record's number and hash. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

export const genesis: Head = { seq: 0, hash: genesisHash };

/** What the writer adds to a record before it is chained. */
export interface Additions {
  readonly attempt?: number | undefined;
  readonly journal?: JournalFacts | undefined;
}

export interface ChainedLine extends Head {
  /** With its newline. */
  readonly line: string;
}

/** The line of the next record after `head`. */
export function chain(record: AuditRecord, head: Head, additions: Additions = {}): ChainedLine {
  const seq = head.seq + 1;
  const { time, ...facts } = record;
  const pathBytes = rawBytes(record.path);
  const whole = { seq, time, ...facts, pathBytes, ...additions, prev: head.hash };
  const body = JSON.stringify(whole, shown).slice(0, -1);
  const hash = digest('sha256', body, 'hex');
  return { seq, hash, line: `${body},"hash":"${hash}"}\n` };
}

/** Keys and values as they may be read in a terminal: nothing in a record can pass for another or move a cursor. */
function shown(key: string, value: unknown): unknown {
  // Ours: Base64, and PEM, whose line breaks JSON writes as \n.
  if (key === 'publicKey' || key === 'pathBytes') return value;
  return typeof value === 'string' ? printable(value, auditTextMax) : value;
}

/** The bytes of a path, where the record can't show them as they are. */
function rawBytes(path: string | null): string | undefined {
  if (path === null || printable(path, auditTextMax) === path) return undefined;
  try {
    return encodeName(path).subarray(0, auditRawBytesMax).toString('base64');
  } catch (error) {
    if (error instanceof RangeError) return undefined; // no bytes ever were this text
    throw error;
  }
}

/** What of a line is needed to check the chain. */
export interface Link extends Head {
  readonly time: string;
  readonly prev: string;
  /** Whether the line has the hash that it says. */
  readonly isSound: boolean;
}

const startPattern = /^\{"seq":([1-9][0-9]{0,15}),"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)",/;
const endPattern = /,"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}$/;
const startBytesMax = 64;
const hashBytes = ',"hash":""}'.length + 64;
const endBytes = ',"prev":""'.length + 64 + hashBytes;

/** The number and time of a line, whatever else is in it. */
export function readStart(line: Buffer): Pick<Link, 'seq' | 'time'> | undefined {
  const start = startPattern.exec(line.toString('latin1', 0, startBytesMax));
  return start === null ? undefined : { seq: Number(start[1]), time: start[2] ?? '' };
}

/** Reads a line, without its newline. Undefined if it is no record of a chain at all. */
export function readLink(line: Buffer): Link | undefined {
  const start = readStart(line);
  const end = endPattern.exec(line.toString('latin1', Math.max(0, line.length - endBytes)));
  if (start === undefined || end === null) return undefined;
  const [, prev = '', hash = ''] = end;
  const found = digest('sha256', line.subarray(0, line.length - hashBytes), 'hex');
  return { ...start, prev, hash, isSound: found === hash };
}
