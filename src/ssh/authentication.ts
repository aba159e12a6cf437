/**
 * Who is at the other end: one decision for each authentication request (RFC 4252), and nothing kept from one request to
 * the next. A login is the key of the very request whose signature verified. A refusal has the same answer and the same
 * time whatever it was that did not fit: the user, the key or the signature.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { sshLoginFailureMs } from '../limits.ts';
import { printable } from '../name-bytes.ts';
import type { UserDirectory } from '../users/directory.ts';
import { keyFingerprint, parsePublicKey } from '../users/public-key.ts';
import type { ConnectionFacts, Login, User } from '../users/user.ts';
import type { LoginRefusal } from './events.ts';
import { signatureMatches } from './signature.ts';
import type { AuthContext } from './ssh2.ts';

const userNamePattern = /^[a-z_][a-z0-9_.-]{0,31}$/u;
const shownUserNameLengthMax = 64;

export type Decision =
  | { readonly kind: 'methods' } // the client only asked which methods there are
  | { readonly kind: 'key-would-do' }
  | { readonly kind: 'login'; readonly login: Login }
  | {
      readonly kind: 'refused';
      readonly reason: LoginRefusal;
      readonly userName: string;
      readonly keyFingerprint: string | null;
      readonly method: string;
    };

/** Decides one request. A refusal comes only after a time that does not tell its reason; `signal` ends that wait. */
export async function decideAuthentication(
  context: AuthContext,
  facts: {
    readonly users: UserDirectory;
    readonly connection: ConnectionFacts;
    readonly signal: AbortSignal;
  },
): Promise<Decision> {
  if (context.method === 'none') return { kind: 'methods' };
  const began = performance.now();
  const { key } = context;
  if (context.method !== 'publickey' || key === undefined)
    return refused(context, 'method', began, facts.signal);
  // A name that can't exist takes the same way as one that doesn't: no directory holds the empty name.
  const name = userNamePattern.test(context.username) ? context.username : '';
  const user = await facts.users.find(name, key.data, facts.connection.address);
  const verdict = judge(context, user, key);
  if (verdict === 'key-would-do') return { kind: 'key-would-do' };
  if (verdict !== 'login' || user === undefined) {
    return refused(context, verdict === 'login' ? 'not-authorized' : verdict, began, facts.signal);
  }
  const login: Login = Object.freeze({
    user,
    key: Object.freeze({ type: parsePublicKey(key.data).type, fingerprint: keyFingerprint(key.data) }),
    connection: facts.connection,
  });
  return { kind: 'login', login };
}

function judge(
  context: AuthContext,
  user: User | undefined,
  offered: NonNullable<AuthContext['key']>,
): LoginRefusal | 'key-would-do' | 'login' {
  if (user === undefined) return 'not-authorized';
  const key = parsePublicKey(offered.data);
  // The algorithm must be the key's own, and RSA never with SHA-1: ssh2 names all RSA algorithms ssh-rsa, with no hash
  // for the original one.
  if (offered.algo !== key.type) return 'algorithm';
  if (key.type === 'ssh-rsa' && context.hashAlgo === undefined) return 'algorithm';
  const { signature, blob } = context;
  // RFC 4252, section 7: without a signature it is only a question.
  if (signature === undefined) return 'key-would-do';
  if (blob === undefined) return 'signature';
  return signatureMatches(key, context.hashAlgo, { data: blob, signature }) ? 'login' : 'signature';
}

/**
 * Waits until a multiple of a fixed time is over since the request came. The work itself takes a small part of it, so how
 * long the work took does not show.
 */
async function refused(
  context: AuthContext,
  reason: LoginRefusal,
  began: number,
  signal: AbortSignal,
): Promise<Decision> {
  const elapsed = performance.now() - began;
  const wait = sshLoginFailureMs * Math.ceil(elapsed / sshLoginFailureMs) - elapsed;
  await delay(wait, undefined, { signal }).catch(() => undefined);
  return {
    kind: 'refused',
    reason,
    userName: printable(context.username, shownUserNameLengthMax),
    keyFingerprint: context.key === undefined ? null : keyFingerprint(context.key.data),
    method: printable(context.method, shownUserNameLengthMax),
  };
}
