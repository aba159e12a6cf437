/**
 * Verifies login signatures with node:crypto, on a key that our own parser took apart. ssh2's `key.verify()` is not used:
 * it returns an Error object, which is truthy, where it could not verify.
 */
import { createPublicKey, verify } from 'node:crypto';
import type { JsonWebKey } from 'node:crypto';
import type { Curve, PublicKey } from '../users/public-key.ts';

/** The hash of RSA signatures: rsa-sha2-256 and rsa-sha2-512 of RFC 8332. */
export type RsaHash = 'sha256' | 'sha512';

/** RFC 5656, section 6.2.1. */
const curves: Readonly<Record<Curve, { readonly name: string; readonly hash: string }>> = {
  nistp256: { name: 'P-256', hash: 'sha256' },
  nistp384: { name: 'P-384', hash: 'sha384' },
  nistp521: { name: 'P-521', hash: 'sha512' },
};

/**
 * Whether `signature` is the key's signature of `data`. ECDSA signatures are in ASN.1, as ssh2 hands them on. False for
 * whatever can't be verified. Never throws.
 */
export function signatureMatches(
  key: PublicKey,
  rsaHash: RsaHash | undefined,
  { data, signature }: { readonly data: Buffer; readonly signature: Buffer },
): boolean {
  try {
    const hash = hashOf(key, rsaHash);
    if (hash === undefined) return false;
    const whole = key.type === 'ssh-rsa' ? padded(signature, key.modulus.length) : signature;
    return verify(hash, data, createPublicKey({ key: jsonWebKey(key), format: 'jwk' }), whole);
  } catch {
    return false;
  }
}

/** The hash of each type's signatures; null where it is part of the scheme, undefined for RSA with SHA-1. */
function hashOf(key: PublicKey, rsaHash: RsaHash | undefined): string | null | undefined {
  if (key.type === 'ssh-ed25519') return null;
  return key.type === 'ssh-rsa' ? rsaHash : curves[key.curve].hash;
}

function jsonWebKey(key: PublicKey): JsonWebKey {
  if (key.type === 'ssh-ed25519') return { kty: 'OKP', crv: 'Ed25519', x: base64(key.point) };
  if (key.type === 'ssh-rsa') return { kty: 'RSA', e: base64(key.exponent), n: base64(key.modulus) };
  return { kty: 'EC', crv: curves[key.curve].name, x: base64(key.x), y: base64(key.y) };
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64url');
}

/** Some clients drop leading zero bytes of RSA signatures; OpenSSH's server puts them back, and so do we. */
function padded(signature: Buffer, length: number): Buffer {
  if (signature.length >= length) return signature;
  return Buffer.concat([Buffer.alloc(length - signature.length), signature]);
}
