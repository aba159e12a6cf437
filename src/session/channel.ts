/**
 * The client's bytes in order. The loop ends at the client's EOF. It throws `ScpdError('CONNECTION_LOST')` if the
 * channel or connection went away without one. Bytes are taken from the client only as fast as the loop asks.
 * To be iterated once. A piece stays as it is until the next one is asked for; then its memory is used again.
 */
export interface ChannelInput extends AsyncIterable<Buffer> {
  /** Whether bytes lie here that were not asked for: the client sent them before it could see an answer. */
  readonly hasArrived: boolean;
}

/** What a session needs from its SSH channel. `ssh/` implements it over ssh2; tests implement it in memory. */
export interface Channel {
  readonly input: ChannelInput;
  /**
   * Aborted, with `ScpdError('CONNECTION_LOST')` as its reason, when nobody is there any more to hear of anything: the client
   * closed the channel, or the connection is gone. Its EOF is no such thing.
   */
  readonly gone: AbortSignal;
  /**
   * Sends bytes to the client's standard output. Resolves when more may be written: back-pressure is the caller's
   * wait. Rejects with `ScpdError('CONNECTION_LOST')` once the channel is gone. Until then the buffer must not be changed.
   */
  write(bytes: Buffer): Promise<void>;
  /** One line for the client's standard error. In SCP and SFTP only before the first `write`: what follows is protocol. */
  writeError(line: string): Promise<void>;
  /** Exit status, EOF, CLOSE; nothing may be sent after. Never throws. */
  finish(exitStatus: number): Promise<void>;
}

/** What a client asked a session channel to do. `command` is the raw bytes of the exec request. */
export type SessionRequest =
  | { readonly kind: 'exec'; readonly command: Buffer }
  | { readonly kind: 'subsystem'; readonly name: string }
  /** `hadTerminal`: a terminal was asked for before, which only a person needs. */
  | { readonly kind: 'shell'; readonly hadTerminal: boolean };
