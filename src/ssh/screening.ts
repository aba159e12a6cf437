/** Which messages a client may send before it logged in, and how many. Everything else ends the connection unparsed. */
import { ProtocolError } from '../errors.ts';
import { sshPreLoginPacketsMax } from '../limits.ts';
import { message } from './messages.ts';

export class PreLoginFilter {
  #packets = 0;

  /** Counts a packet. Throws `ProtocolError` when there were too many. */
  count(): void {
    this.#packets += 1;
    if (this.#packets > sshPreLoginPacketsMax) throw new ProtocolError('too many packets before login');
  }

  /**
   * Whether ssh2 may see this message, which came after the first key exchange. False: it is to be ignored. Throws
   * `ProtocolError` for what belongs after login, and for a second key exchange: no client needs one so early.
   */
  admits(payload: Buffer): boolean {
    this.count();
    const type = payload[0] ?? 0;
    // RFC 8308: a client may announce extensions, and we know none.
    if (type === message.EXT_INFO) return false;
    const generic = type >= message.DISCONNECT && type <= message.SERVICE_REQUEST;
    if (generic || type === message.USERAUTH_REQUEST) return true;
    throw new ProtocolError(`a message of type ${type} before login`);
  }
}

/** RFC 4250, section 4.1.2. */
export function isConnectionMessage(type: number): boolean {
  // Answers to our keepalive questions are global, but ssh2 asked and wants to know.
  if (type === message.REQUEST_SUCCESS || type === message.REQUEST_FAILURE) return false;
  return type >= message.GLOBAL_REQUEST && type <= message.CHANNEL_FAILURE;
}

export function isUserauthMessage(type: number): boolean {
  return type >= message.USERAUTH_REQUEST && type <= message.USERAUTH_LAST;
}
