/**
 * Public keys as they stand on the wire (RFC 4253, section 6.6; RFC 5656, section 3.1; RFC 8709, section 4): the types
 * that may log in, and a parser that accepts one encoding of each key only. So two blobs that differ are two keys, and a
 * key can be looked up by its bytes.
 */
import { createHash } from 'node:crypto';
import { WireError, WireReader, wireInteger } from './wire.ts';

export type Curve = 'nistp256' | 'nistp384' | 'nistp521';

export type PublicKey =
  | { readonly type: 'ssh-ed25519'; readonly point: Buffer }
  | { readonly type: `ecdsa-sha2-${Curve}`; readonly curve: Curve; readonly x: Buffer; readonly y: Buffer }
  | { readonly type: 'ssh-rsa'; readonly exponent: Buffer; readonly modulus: Buffer };

const rsaBitsMin = 2048; // the least that NIST SP 800-131A allows
const rsaBitsMax = 16_384; // as OpenSSH; each verification costs time
const rsaExponentBytesMax = 8; // OpenSSL refuses more
const ed25519Bytes = 32;
const coordinateBytes: Readonly<Record<Curve, number>> = { nistp256: 32, nistp384: 48, nistp521: 66 };

/** The key of a wire blob. Throws a `WireError` in words for people when it is not exactly a key that may log in. */
export function parsePublicKey(blob: Buffer): PublicKey {
  const reader = new WireReader(blob);
  const type = reader.name();
  const key = parseFields(type, reader);
  if (!reader.atEnd) throw new WireError('the key is followed by other data');
  return key;
}

/** `SHA256:…` as ssh-keygen -l prints it. Of any bytes. */
export function keyFingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replaceAll('=', '')}`;
}

function parseFields(type: string, reader: WireReader): PublicKey {
  switch (type) {
    case 'ssh-ed25519': {
      const point = reader.string();
      if (point.length !== ed25519Bytes) throw new WireError('an ed25519 key has 32 bytes');
      return { type, point };
    }
    case 'ecdsa-sha2-nistp256':
    case 'ecdsa-sha2-nistp384':
    case 'ecdsa-sha2-nistp521':
      return parseEcdsa(type, reader);
    case 'ssh-rsa':
      return parseRsa(reader);
    default:
      throw new WireError('keys of this type cannot log in here');
  }
}

function parseEcdsa(type: `ecdsa-sha2-${Curve}`, reader: WireReader): PublicKey {
  const curve = type.slice('ecdsa-sha2-'.length) as Curve;
  if (reader.name() !== curve) throw new WireError('the curve is not the one that the key type names');
  const point = reader.string();
  const bytes = coordinateBytes[curve];
  // Only the uncompressed form; RFC 5656 allows others, but nobody writes them and they would be a second spelling.
  if (point.length !== 1 + 2 * bytes || point[0] !== 4)
    throw new WireError('the point is not an uncompressed one');
  return { type, curve, x: point.subarray(1, 1 + bytes), y: point.subarray(1 + bytes) };
}

function parseRsa(reader: WireReader): PublicKey {
  const exponent = positiveInteger(reader.string());
  const modulus = positiveInteger(reader.string());
  const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24;
  if (bits < rsaBitsMin)
    throw new WireError(`an RSA key of ${bits} bits is too short; ${rsaBitsMin} are needed`);
  if (bits > rsaBitsMax)
    throw new WireError(`an RSA key of ${bits} bits is too long; ${rsaBitsMax} are allowed`);
  const odd = ((exponent.at(-1) ?? 0) & 1) === 1;
  const isOne = exponent.length === 1 && exponent[0] === 1;
  if (!odd || isOne || exponent.length > rsaExponentBytesMax)
    throw new WireError('the RSA exponent is not usable');
  return { type: 'ssh-rsa', exponent, modulus };
}

/** The digits of an mpint, which must be positive and in its one shortest form (RFC 4251, section 5). */
function positiveInteger(bytes: Buffer): Buffer {
  const digits = bytes[0] === 0 ? bytes.subarray(1) : bytes;
  const negative = ((bytes[0] ?? 0) & 0x80) !== 0;
  if (digits.length === 0 || negative || !wireInteger(digits).subarray(4).equals(bytes)) {
    throw new WireError('an integer is not written in its shortest form');
  }
  return digits;
}
