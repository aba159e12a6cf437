/** Answers the authentication requests of one connection, and counts those that were refused. */
import { ProtocolError } from '../errors.ts';
import type { UserDirectory } from '../users/directory.ts';
import type { ConnectionFacts, Login } from '../users/user.ts';
import { decideAuthentication } from './authentication.ts';
import type { Decision } from './authentication.ts';
import type { SshEvents } from './events.ts';
import type { AuthContext } from './ssh2.ts';

/** RFC 4252, section 5.1: what a client may go on with. There is nothing else, whoever asks. */
const methods = ['publickey'];

export interface AuthenticatorOptions {
  readonly users: UserDirectory;
  readonly events: SshEvents;
  /** The refusal with this number is not answered: it ends the connection. */
  readonly attemptsMax: number;
  readonly connection: ConnectionFacts;
  /** Aborted when the connection ends. */
  readonly signal: AbortSignal;
  readonly onTooManyAttempts: () => void;
  /** Asked when somebody is about to log in. False: this user has connections enough. */
  readonly admit: (userName: string) => boolean | Promise<boolean>;
  readonly onTooManyConnections: () => void;
  readonly onFailed: (error: unknown) => void;
}

export class Authenticator {
  readonly #options: AuthenticatorOptions;
  #refusals = 0;
  #login: Login | undefined;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** Who logged in. Set before ssh2 tells the client. */
  get login(): Login | undefined {
    return this.#login;
  }

  /** Decides and answers one request. Never rejects. */
  async answer(context: AuthContext): Promise<void> {
    try {
      const decision = await decideAuthentication(context, this.#options);
      const isFull = decision.kind === 'login' && !(await this.#options.admit(decision.login.user.name));
      // The connection may have ended meanwhile.
      if (this.#options.signal.aborted) return;
      if (isFull) this.#sendAway(decision.login);
      else this.#carryOut(decision, context);
    } catch (error) {
      this.#options.onFailed(error);
    }
  }

  #carryOut(decision: Decision, context: AuthContext): void {
    switch (decision.kind) {
      case 'methods':
        return reply(() => context.reject(methods));
      case 'key-would-do':
        nameAlgorithm(context);
        return reply(() => context.accept());
      case 'login':
        this.#login = decision.login;
        return reply(() => context.accept());
      case 'refused':
        return this.#refuse(decision, context);
    }
  }

  /** The client learns why by the farewell: asking for another key would only make it try again. */
  #sendAway({ user, key }: Login): void {
    const { connection, events, onTooManyConnections } = this.#options;
    const reason = 'connections-per-user';
    const who = { userName: user.name, keyFingerprint: key.fingerprint, method: 'publickey' };
    events.loginRefused({ connection, ...who, reason });
    onTooManyConnections();
  }

  #refuse(decision: Extract<Decision, { kind: 'refused' }>, context: AuthContext): void {
    const { userName, keyFingerprint, method, reason } = decision;
    const { connection, events, attemptsMax, onTooManyAttempts } = this.#options;
    events.loginRefused({ connection, userName, keyFingerprint, method, reason });
    this.#refusals += 1;
    if (this.#refusals >= attemptsMax) onTooManyAttempts();
    else reply(() => context.reject(methods));
  }
}

/** ssh2 loses track of requests that a client sends without waiting for answers, and throws. */
function reply(answer: () => void): void {
  try {
    answer();
  } catch (error) {
    throw new ProtocolError('authentication requests out of order', { cause: error });
  }
}

/** ssh2 would echo `ssh-rsa` for each RSA algorithm; RFC 4252, section 7, wants the name from the request. */
function nameAlgorithm({ key, hashAlgo }: AuthContext): void {
  if (key !== undefined && hashAlgo !== undefined)
    key.algo = hashAlgo === 'sha512' ? 'rsa-sha2-512' : 'rsa-sha2-256';
}
