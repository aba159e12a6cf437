/**
 * The control records of the SCP protocol, both ways. There is no specification; this is what OpenSSH's scp.c reads and
 * writes:
 *
 *     T<mtime> <usec> <atime> <usec>\n    times of the next C or D
 *     C<mode> <size> <name>\n             a file; <size> bytes and a status byte follow
 *     D<mode> 0 <name>\n                  enter a directory
 *     E\n                                 leave it
 *     \x01<text>\n  \x02<text>\n          the sender reports an error; after \x02 it is gone
 *
 * The grammar is read strictly: what a sender of good will never writes is a `ProtocolError`, not a guess.
 */
import { ProtocolError } from '../../errors.ts';
import { decodeName, encodeName } from '../../name-bytes.ts';
import { visibleName } from './visible-name.ts';

/** Seconds since 1970; microseconds, which some senders have, are the fraction. */
export interface ScpTimes {
  readonly modifiedSeconds: number;
  readonly accessedSeconds: number;
}

export interface ScpEntry {
  /** The permission bits as sent, 0o0000-0o7777. */
  readonly mode: number;
  /** As `decodeName` gives it; not checked, so possibly hostile. */
  readonly name: string;
}

export type ScpRecord =
  | { readonly kind: 'times'; readonly times: ScpTimes }
  /** The size is at most 2^63-1. */
  | ({ readonly kind: 'file'; readonly sizeBytes: bigint } & ScpEntry)
  | ({ readonly kind: 'directory' } & ScpEntry)
  | { readonly kind: 'leave' }
  | { readonly kind: 'error'; readonly fatal: boolean; readonly message: string };

/** The first bytes of all records: what begins otherwise can be refused before its line ends. */
export const recordLeaders: ReadonlySet<number> = new Set(Buffer.from('TCDE\x01\x02'));

const fileSizeMax = 2n ** 63n - 1n; // off_t
const microsecondsMax = 999_999;

/** Reads one record, without its line end. Throws `ProtocolError`. */
export function parseRecord(line: Buffer): ScpRecord {
  const leader = line[0] ?? 0;
  switch (leader) {
    case 0x01:
    case 0x02:
      return { kind: 'error', fatal: leader === 0x02, message: decodeName(line.subarray(1)) };
    case 0x43: // C
    case 0x44: // D
      return parseEntry(line);
    case 0x45: // E
      if (line.length !== 1) throw new ProtocolError('unexpected text after E');
      return { kind: 'leave' };
    case 0x54: // T
      return { kind: 'times', times: parseTimes(line.toString('latin1')) };
    default:
      throw new ProtocolError('expected control record');
  }
}

/** The bytes of a record, with its line end. Times lose their fraction, as scp.c sends them. */
export function encodeRecord(record: ScpRecord): Buffer {
  if (record.kind === 'file') return encodeEntry('C', record, record.sizeBytes);
  if (record.kind === 'directory') return encodeEntry('D', record, 0n);
  if (record.kind === 'leave') return Buffer.from('E\n');
  if (record.kind === 'times') {
    const { modifiedSeconds, accessedSeconds } = record.times;
    return Buffer.from(`T${wholeSeconds(modifiedSeconds)} 0 ${wholeSeconds(accessedSeconds)} 0\n`);
  }
  const level = Buffer.of(record.fatal ? 0x02 : 0x01);
  return Buffer.concat([level, encodeName(record.message), Buffer.from('\n')]);
}

function parseEntry(line: Buffer): ScpRecord {
  // Latin-1 makes one character of each byte: positions in the text are positions in the line.
  const header = /^[CD]([0-7]{4}) ([0-9]{1,19}) /.exec(line.toString('latin1'));
  if (header === null) throw new ProtocolError('malformed mode or size');
  const [text, mode = '', size = ''] = header;
  const sizeBytes = BigInt(size);
  if (sizeBytes > fileSizeMax) throw new ProtocolError('size out of range');
  const entry = { mode: Number.parseInt(mode, 8), name: decodeName(line.subarray(text.length)) };
  return line[0] === 0x43 ? { kind: 'file', sizeBytes, ...entry } : { kind: 'directory', ...entry };
}

function parseTimes(line: string): ScpTimes {
  const fields = /^T([0-9]{1,16}) ([0-9]{1,6}) ([0-9]{1,16}) ([0-9]{1,6})$/.exec(line);
  if (fields === null) throw new ProtocolError('malformed times');
  const [, modified, modifiedFraction, accessed, accessedFraction] = fields.map(Number);
  return {
    modifiedSeconds: seconds(modified, modifiedFraction),
    accessedSeconds: seconds(accessed, accessedFraction),
  };
}

function seconds(whole = 0, microseconds = 0): number {
  if (whole > Number.MAX_SAFE_INTEGER || microseconds > microsecondsMax) {
    throw new ProtocolError('time out of range');
  }
  return whole + microseconds / 1e6;
}

function wholeSeconds(time: number): string {
  return String(Math.max(0, Math.floor(time)));
}

function encodeEntry(letter: 'C' | 'D', { mode, name }: ScpEntry, sizeBytes: bigint): Buffer {
  const header = `${letter}${(mode & 0o7777).toString(8).padStart(4, '0')} ${sizeBytes} `;
  return Buffer.concat([Buffer.from(header), visibleName(encodeName(name)), Buffer.from('\n')]);
}
