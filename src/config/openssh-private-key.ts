/**
 * What the outside of an OpenSSH private key file tells: its type and public half, which are not encrypted. Layout as in
 * OpenSSH's PROTOCOL.key. The private half is not looked at here; `ssh/` parses it.
 */

/** A file that is not a private key scpd can use. `message` completes "expected a private key …, got". */
export class PrivateKeyError extends Error {
  override readonly name = 'PrivateKeyError';
}

export interface PrivateKeyFacts {
  /** Name of the type on the wire, such as `ssh-ed25519`. */
  readonly type: string;
  /** The public half as on the wire (RFC 4253, section 6.6). */
  readonly publicKeyBlob: Buffer;
}

const magic = Buffer.from('openssh-key-v1\0', 'latin1');
const armour =
  /^-----BEGIN OPENSSH PRIVATE KEY-----\r?\n([A-Za-z0-9+/=\s]+)-----END OPENSSH PRIVATE KEY-----\s*$/;
const knownTypes: ReadonlySet<string> = new Set([
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
]);
const rsaBitsMin = 2048; // RFC 9142 and every current client refuse less

/** Reads type and public half of a private key file. Throws `PrivateKeyError`. */
export function readPrivateKeyFacts(file: Buffer): PrivateKeyFacts {
  const body = armour.exec(file.toString('latin1'))?.[1];
  if (body === undefined) throw new PrivateKeyError(otherFormat(file.toString('latin1')));
  const fields = new Fields(Buffer.from(body, 'base64'));
  fields.expectMagic();
  const cipher = fields.string().toString('latin1');
  fields.string(); // name of the key derivation function
  fields.string(); // its options
  if (fields.uint32() !== 1) throw new PrivateKeyError('a file with several keys');
  const publicKeyBlob = fields.string();
  if (cipher !== 'none') {
    throw new PrivateKeyError(
      'one with a passphrase; remove that from a copy with: ssh-keygen -p -N "" -f COPY',
    );
  }
  const type = checkedType(publicKeyBlob);
  return { type, publicKeyBlob: Buffer.from(publicKeyBlob) };
}

function checkedType(publicKeyBlob: Buffer): string {
  const fields = new Fields(publicKeyBlob);
  const type = fields.string().toString('latin1');
  if (!knownTypes.has(type)) throw new PrivateKeyError('one of a type other than Ed25519, ECDSA and RSA');
  if (type === 'ssh-rsa') {
    fields.string(); // public exponent
    const modulus = fields.string();
    const bits = BigInt(`0x0${modulus.toString('hex')}`).toString(2).length;
    if (bits < rsaBitsMin)
      throw new PrivateKeyError(`an RSA key of ${bits} bits; clients refuse less than ${rsaBitsMin}`);
  }
  return type;
}

function otherFormat(text: string): string {
  if (/^-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    return 'another or a damaged key format; ssh-keygen -p -N "" -f COPY rewrites a copy in that of OpenSSH';
  }
  if (/^(ssh|ecdsa)-\S+ AAAA/.test(text)) return 'a public key; the private one is the file without ".pub"';
  return 'something else';
}

/** Reads the fields of RFC 4251, section 5. What is cut short throws `PrivateKeyError`. */
class Fields {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  expectMagic(): void {
    if (!this.#take(magic.length).equals(magic)) throw new PrivateKeyError('a damaged key file');
  }

  uint32(): number {
    return this.#take(4).readUInt32BE();
  }

  string(): Buffer {
    return this.#take(this.uint32());
  }

  #take(length: number): Buffer {
    const end = this.#offset + length;
    if (end > this.#bytes.length) throw new PrivateKeyError('a damaged key file');
    const bytes = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return bytes;
  }
}
