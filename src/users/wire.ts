/** The data types of SSH messages and keys (RFC 4251, section 5): a reader that never reads past the end, and writers. */

/** A message or key was shorter or longer than its fields say. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** Reads fields one after the other. Throws `WireError` where there is none. Strings are views, not copies. */
export class WireReader {
  readonly #bytes: Buffer;
  #offset: number;

  constructor(bytes: Buffer, offset = 0) {
    this.#bytes = bytes;
    this.#offset = offset;
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#skip(4));
  }

  boolean(): boolean {
    return this.#take(1)[0] !== 0;
  }

  string(): Buffer {
    return this.#take(this.uint32());
  }

  /** A string of US-ASCII, as names of algorithms and requests are. Other bytes become other characters, never fewer. */
  name(): string {
    return this.string().toString('latin1');
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  #take(length: number): Buffer {
    const start = this.#skip(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Answers where the skipped bytes start. */
  #skip(length: number): number {
    const start = this.#offset;
    if (start + length > this.#bytes.length) throw new WireError('a field is cut short');
    this.#offset = start + length;
    return start;
  }
}

export function wireUint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}

export function wireString(value: Buffer | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
  return Buffer.concat([wireUint32(bytes.length), bytes]);
}

/** A non-negative integer, given as big-endian bytes. */
export function wireInteger(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length && bytes[start] === 0) start += 1;
  const digits = bytes.subarray(start);
  const needsSign = ((digits[0] ?? 0) & 0x80) !== 0;
  return wireString(needsSign ? Buffer.concat([Buffer.of(0), digits]) : digits);
}
