/**
 * The Ed25519 key that signs checkpoints: `journal-key` (PKCS#8, mode 0600) and `journal-key.pub` (SPKI) in the audit
 * directory, made once. The public half is all that anybody needs to verify a journal or a receipt.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';

export const journalKeyName = 'journal-key';
export const journalPublicKeyName = 'journal-key.pub';

/** Made what it says it is, or not at all: see `readPublicKey`. */
export interface PublicJournalKey {
  /** `SHA256:…` of the key's SPKI form. */
  readonly id: string;
  readonly pem: string;
  verifies(text: string, signature: string): boolean;
}

export interface JournalKey extends PublicJournalKey {
  /** Base64. */
  sign(text: string): string;
}

/** A new pair, as PEM. */
export function generateJournalKey(): { readonly privateKey: string; readonly publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { privateKey: pemOf(privateKey), publicKey: pemOf(publicKey) };
}

/** The key of an audit directory, making it if need be. Throws host errors, and an Error that says what is wrong with it. */
export async function openJournalKey(
  directory: string,
): Promise<{ readonly key: JournalKey; readonly isNew: boolean }> {
  const file = join(directory, journalKeyName);
  const existing = await readKeyFile(file);
  if (existing !== undefined) return { key: existing, isNew: false };
  const { privateKey, publicKey } = generateJournalKey();
  await makeFile(directory, { name: journalPublicKeyName, content: publicKey, mode: 0o644 });
  await makeFile(directory, { name: journalKeyName, content: privateKey, mode: 0o600 });
  return { key: privateJournalKey(privateKey), isNew: true };
}

async function readKeyFile(file: string): Promise<JournalKey | undefined> {
  let handle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { mode } = await handle.stat();
    if ((mode & 0o077) !== 0) throw new Error(`${file} is open to others: chmod 600 it`);
    return privateJournalKey(await handle.readFile('utf8'));
  } finally {
    await handle.close();
  }
}

function privateJournalKey(pem: string): JournalKey {
  const privateKey = asEd25519(() => createPrivateKey(pem));
  const key = publicJournalKey(createPublicKey(privateKey));
  return { ...key, sign: (text) => sign(null, Buffer.from(text), privateKey).toString('base64') };
}

/** Reads the public half. Throws an Error that says that it is none. */
export function readPublicKey(pem: string): PublicJournalKey {
  return publicJournalKey(asEd25519(() => createPublicKey(pem)));
}

/** The public key in a file. Throws host errors, and as `readPublicKey`. */
export async function readPublicKeyFile(file: string): Promise<PublicJournalKey> {
  return readPublicKey(await readFile(file, 'utf8'));
}

function publicJournalKey(key: KeyObject): PublicJournalKey {
  const der = key.export({ type: 'spki', format: 'der' });
  const digest = createHash('sha256').update(der).digest('base64').replace(/=+$/, '');
  return {
    id: `SHA256:${digest}`,
    pem: pemOf(key),
    verifies: (text, signature) => verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64')),
  };
}

function asEd25519(read: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (error) {
    throw new Error('expected an Ed25519 key in PEM form, got something else', { cause: error });
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new Error(`expected an Ed25519 key, got one of type ${key.asymmetricKeyType}`);
  return key;
}

function pemOf(key: KeyObject): string {
  const form = key.type === 'private' ? 'pkcs8' : 'spki';
  return key.export({ type: form, format: 'pem' }).toString();
}

/** Whole or not at all, and never in the place of something that is there. */
async function makeFile(
  directory: string,
  { name, content, mode }: { readonly name: string; readonly content: string; readonly mode: number },
): Promise<void> {
  const temporary = join(directory, `.${name}.${randomUUID()}`);
  const handle = await open(temporary, 'wx', mode);
  try {
    await handle.chmod(mode); // whatever the umask
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    if (name === journalPublicKeyName) await rm(join(directory, name), { force: true }); // of a pair that is gone
    await link(temporary, join(directory, name));
  } finally {
    await rm(temporary, { force: true });
  }
}
