/** The users of the configuration and the keys that each may log in with. */
import { KeyFile } from './key-file.ts';
import type { KeyFileProblem } from './key-file.ts';
import type { User } from './user.ts';

export type { KeyFileProblem } from './key-file.ts';

/** Where to look a user up. The answer's time does not tell whether the user exists. */
export interface UserDirectory {
  /**
   * The user that may log in with this key, or undefined. `publicKeyBlob` is the key as it stands on the wire (RFC 4253,
   * section 6.6) and has not been parsed. Never throws for what a peer sent.
   */
  find(userName: string, publicKeyBlob: Buffer): Promise<User | undefined>;
}

export interface UserEntry {
  readonly user: User;
  /** Host path of a file in OpenSSH's authorized_keys format. */
  readonly authorizedKeysFile: string;
}

/**
 * A directory over authorized_keys files. Each is read anew at each look-up, so that a key that is added or removed counts
 * from the next attempt on. A user name that appears twice counts as its last entry.
 *
 * @param report is told of what is wrong with a file or line: once, and again when it changed. Such a file or line lets
 * nobody in.
 */
export function createUserDirectory(
  entries: readonly UserEntry[],
  report: (problem: KeyFileProblem & { readonly userName: string }) => void,
): UserDirectory {
  // A Map, because names come from peers: an object would know "__proto__" and "constructor".
  const accounts = new Map<string, Account>();
  for (const { user, authorizedKeysFile } of entries) {
    const keyFile = new KeyFile(authorizedKeysFile, (problem) => report({ ...problem, userName: user.name }));
    accounts.set(user.name, { user: Object.freeze({ ...user }), keyFile });
  }
  // Whoever does not exist takes the same way over the same kind of file as whoever does, and is never let in.
  const nobody: Account = {
    user: undefined,
    keyFile: new KeyFile(entries[0]?.authorizedKeysFile ?? '/dev/null', () => undefined),
  };
  return {
    async find(userName, publicKeyBlob) {
      const account = accounts.get(userName) ?? nobody;
      const allowed = await account.keyFile.allows(publicKeyBlob);
      return allowed ? account.user : undefined;
    },
  };
}

interface Account {
  readonly user: User | undefined;
  readonly keyFile: KeyFile;
}
