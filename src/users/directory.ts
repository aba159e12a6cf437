/** The users of the configuration and the keys that each may log in with. */
import type { User } from './user.ts';

/** Where to look a user up. The answer's time does not tell whether the user exists. */
export interface UserDirectory {
  /**
   * The user that may log in with this key, or undefined. `publicKeyBlob` is the key as it stands on the wire (RFC 4253,
   * section 6.6) and has not been parsed. Never throws for what a peer sent.
   */
  find(userName: string, publicKeyBlob: Buffer): Promise<User | undefined>;
}
