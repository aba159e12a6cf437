/** The users of the configuration, the keys that each may log in with, and from where and when. */
import { Admission } from './admission.ts';
import { KeyFile } from './key-file.ts';
import type { KeyFileProblem } from './key-file.ts';
import type { User } from './user.ts';

export type { KeyFileProblem } from './key-file.ts';

/** Where to look a user up. The answer's time does not tell whether the user exists. */
export interface UserDirectory {
  /**
   * The user that may log in with this key, or undefined. `publicKeyBlob` is the key as it stands on the wire (RFC 4253,
   * section 6.6) and has not been parsed. `address` is the client's; without one, only a user who may come from anywhere
   * is found. Never throws for what a peer sent.
   */
  find(userName: string, publicKeyBlob: Buffer, address?: string): Promise<User | undefined>;
  /**
   * Whether somebody who has logged in as this user with the key of this fingerprint could still do so now, from the
   * same place and at the same hour as then. Never throws.
   */
  stillKnows(userName: string, fingerprint: string): Promise<boolean>;
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
    accounts.set(user.name, {
      user: Object.freeze({ ...user }),
      keyFile,
      admission: new Admission(user),
    });
  }
  // Whoever does not exist takes the same way over the same kind of file as whoever does, and is never let in.
  const nobody: Account = {
    user: undefined,
    keyFile: new KeyFile(entries[0]?.authorizedKeysFile ?? '/dev/null', () => undefined),
    admission: new Admission({}),
  };
  return {
    async find(userName, publicKeyBlob, address = '') {
      const { user, keyFile, admission } = accounts.get(userName) ?? nobody;
      const isAuthorized = await keyFile.allows(publicKeyBlob);
      const isAdmitted = admission.allowsAddress(address) && admission.allowsTime(new Date());
      return isAuthorized && isAdmitted ? user : undefined;
    },
    async stillKnows(userName, fingerprint) {
      return (await accounts.get(userName)?.keyFile.allowsFingerprint(fingerprint)) ?? false;
    },
  };
}

interface Account {
  readonly user: User | undefined;
  readonly keyFile: KeyFile;
  readonly admission: Admission;
}
