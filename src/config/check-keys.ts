/** Checks of the key files that a configuration names: there, readable, closed to others, and what they should be. */
import { authorizedKeysBytesMax } from '../limits.ts';
import type { HostKey } from './config.ts';
import { shownPath, type KeyPath } from './document.ts';
import type { Findings } from './findings.ts';
import { HostFileError, readHostFile, shellPath, shownFile } from './host-files.ts';
import { PrivateKeyError, readPrivateKeyFacts } from './openssh-private-key.ts';

/** A file that a configuration names, and the key path where it does. */
export interface NamedFile {
  readonly path: KeyPath;
  /** Host path, absolute. */
  readonly file: string;
}

const privateKeyBytesMax = 64 * 1024; // an RSA key of 16384 bits has some 13 KiB

/** Reads the host keys. Those that are wrong are found and left out. */
export async function checkHostKeys(files: readonly NamedFile[], findings: Findings): Promise<HostKey[]> {
  const keys: HostKey[] = [];
  const firstOfType = new Map<string, KeyPath>();
  for (const { path, file } of files) {
    const key = await readHostKey(path, file, findings);
    if (key === undefined) continue;
    const first = firstOfType.get(key.type);
    if (first === undefined) {
      firstOfType.set(key.type, path);
      keys.push(key);
    } else {
      findings.add(
        path,
        `expected one key of each type, got a second ${key.type} key; the first is ${shownPath(first)}`,
      );
    }
  }
  return keys;
}

async function readHostKey(path: KeyPath, file: string, findings: Findings): Promise<HostKey | undefined> {
  try {
    const { bytes, mode } = await readHostFile(file, privateKeyBytesMax);
    const facts = readPrivateKeyFacts(bytes);
    if ((mode & 0o077) !== 0) {
      const correction = `correct it with: chmod 600 ${shellPath(file)}`;
      findings.add(
        path,
        `expected a private key closed to group and others, got mode ${octal(mode)}; ${correction}`,
      );
    }
    return { path: file, privateKey: bytes, ...facts };
  } catch (error) {
    if (error instanceof HostFileError) findings.add(path, `expected a private key, got ${error.message}`);
    else if (error instanceof PrivateKeyError) {
      findings.add(path, `expected an OpenSSH private key in ${shownFile(file)}, got ${error.message}`);
    } else throw error;
    return undefined;
  }
}

/** Checks one user's authorized_keys file. What stands in it is read at each login, by `users/`. */
export async function checkAuthorizedKeys({ path, file }: NamedFile, findings: Findings): Promise<void> {
  try {
    const { mode } = await readHostFile(file, authorizedKeysBytesMax);
    if ((mode & 0o022) === 0) return;
    const correction = `correct it with: chmod go-w ${shellPath(file)}`;
    findings.add(
      path,
      `expected a file that only its owner can write, got mode ${octal(mode)}; ${correction}`,
    );
  } catch (error) {
    if (!(error instanceof HostFileError)) throw error;
    findings.add(path, `expected an authorized_keys file, got ${error.message}`);
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
