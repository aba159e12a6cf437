/**
 * Host keys: made in OpenSSH's own format, so that ssh-keygen can read them, and read with the very parser that the
 * server uses, so that a key which passes here works there. ssh2's generator is not used: it strips leading zero bytes of
 * ed25519 public keys, which spoils one key in 256.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { JsonWebKey } from 'node:crypto';
import { ssh2 } from './ssh2.ts';
import { wireInteger, wireString, wireUint32 } from '../users/wire.ts';

export type HostKeyType = 'ed25519' | 'ecdsa' | 'rsa';

const rsaBits = 3072; // ssh-keygen's default
const rsaBytesMin = 2048 / 8; // what clients still accept

/**
 * A new key pair in the formats of ssh-keygen: the private key as a PEM text, the public key as one line with `comment`
 * and a newline.
 */
export function generateHostKey(
  type: HostKeyType,
  comment: string,
): { privateKey: string; publicKey: string } {
  const { name, publicFields, privateFields } = generators[type]();
  const publicBlob = Buffer.concat([wireString(name), ...publicFields]);
  const oneLine = comment.replaceAll(/\s+/gu, ' ').trim();
  return {
    privateKey: openSshPrivateKey(
      publicBlob,
      Buffer.concat([wireString(name), ...privateFields, wireString(oneLine)]),
    ),
    publicKey: `${`${name} ${publicBlob.toString('base64')} ${oneLine}`.trimEnd()}\n`,
  };
}

/**
 * The type and public half of a host key file's content. Throws an Error in words for the operator; the words never quote
 * the content.
 */
export function parseHostKey(content: Buffer): { type: string; publicBlob: Buffer } {
  const text = content.toString('latin1').trim();
  if (
    text.startsWith('-----BEGIN PRIVATE KEY-----') ||
    text.startsWith('-----BEGIN ENCRYPTED PRIVATE KEY-----')
  ) {
    throw new Error('is a PKCS#8 key; make it an OpenSSH key with: ssh-keygen -p -f FILE');
  }
  const parsed = ssh2.utils.parseKey(content);
  if (parsed instanceof Error) throw new Error(parseFailureWords(parsed, text));
  const key = Array.isArray(parsed) ? (parsed as readonly (typeof parsed)[number][])[0] : parsed;
  if (key === undefined || !('type' in key)) throw new Error('holds no key');
  if (!key.isPrivateKey())
    throw new Error('is a public key; the private key is needed (the file without .pub)');
  if (!(key.type in hostKeyTypes)) {
    throw new Error(`is of type ${key.type}; ssh-ed25519, ecdsa-sha2-nistp256/384/521 or ssh-rsa is needed`);
  }
  const publicBlob = key.getPublicSSH();
  if (key.type === 'ssh-rsa' && publicBlob.length < rsaBytesMin)
    throw new Error('is an RSA key of less than 2048 bits');
  return { type: key.type, publicBlob };
}

const hostKeyTypes = {
  'ssh-ed25519': true,
  'ecdsa-sha2-nistp256': true,
  'ecdsa-sha2-nistp384': true,
  'ecdsa-sha2-nistp521': true,
  'ssh-rsa': true,
};

function parseFailureWords(error: Error, text: string): string {
  if (/encrypted|passphrase/iu.test(error.message)) {
    return 'is protected by a passphrase, which a server cannot type; remove it with: ssh-keygen -p -N "" -f FILE';
  }
  return text === '' ? 'is empty' : 'is not a private key in OpenSSH or PEM format';
}

interface KeyFields {
  readonly name: string;
  readonly publicFields: readonly Buffer[];
  readonly privateFields: readonly Buffer[];
}

/** The fields of each type, in the order of OpenSSH's PROTOCOL.key and ssh_key_private_serialize. */
const generators: Readonly<Record<HostKeyType, () => KeyFields>> = {
  ed25519: () => {
    const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
    const point = field(jwk, 'x');
    const publicFields = [wireString(point)];
    const privateFields = [...publicFields, wireString(Buffer.concat([field(jwk, 'd'), point]))];
    return { name: 'ssh-ed25519', publicFields, privateFields };
  },
  ecdsa: () => {
    const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
    const point = Buffer.concat([Buffer.of(4), field(jwk, 'x'), field(jwk, 'y')]);
    const publicFields = [wireString('nistp256'), wireString(point)];
    return {
      name: 'ecdsa-sha2-nistp256',
      publicFields,
      privateFields: [...publicFields, wireInteger(field(jwk, 'd'))],
    };
  },
  rsa: () => {
    const jwk = generateKeyPairSync('rsa', { modulusLength: rsaBits }).privateKey.export({ format: 'jwk' });
    const integer = (name: keyof JsonWebKey): Buffer => wireInteger(field(jwk, name));
    const publicFields = [integer('e'), integer('n')];
    const privateFields = (['n', 'e', 'd', 'qi', 'p', 'q'] as const).map(integer);
    return { name: 'ssh-rsa', publicFields, privateFields };
  },
};

function field(jwk: JsonWebKey, name: keyof JsonWebKey): Buffer {
  const value = jwk[name];
  if (typeof value !== 'string') throw new TypeError(`a generated key has no ${String(name)}`);
  return Buffer.from(value, 'base64url');
}

/** OpenSSH's PROTOCOL.key, unencrypted: the file's mode protects it. */
function openSshPrivateKey(publicBlob: Buffer, privatePart: Buffer): string {
  const check = randomBytes(4);
  const secret = Buffer.concat([check, check, privatePart]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7].slice(0, (8 - (secret.length % 8)) % 8));
  const body = Buffer.concat([
    Buffer.from('openssh-key-v1\0', 'latin1'),
    wireString('none'),
    wireString('none'),
    wireString(''),
    wireUint32(1),
    wireString(publicBlob),
    wireString(Buffer.concat([secret, padding])),
  ]);
  const lines = body.toString('base64').match(/.{1,70}/gu) ?? [];
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join(
    '\n',
  );
}
