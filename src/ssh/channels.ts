/**
 * The connection protocol (RFC 4254) of one logged-in connection: its channels, and the table of what a client may ask
 * for. All its messages are handled here and none by ssh2, whose handlers have no limits, answer some requests never, and
 * parse what nobody needs.
 */
import type { Logger } from 'pino';
import { ProtocolError } from '../errors.ts';
import { isDoneInTime } from '../in-time.ts';
import {
  commandBytesMax,
  sshPeerPacketBytesMin,
  sshRefusedRequestsMax,
  sshSessionEndMsMax,
  sshSessionsPerConnectionMax,
} from '../limits.ts';
import { printable } from '../name-bytes.ts';
import type { SessionRequest } from '../session/channel.ts';
import type { StartSession } from '../session/start.ts';
import type { Login } from '../users/user.ts';
import { WireReader } from '../users/wire.ts';
import type { SshEvents } from './events.ts';
import { message, openFailure } from './messages.ts';
import type { Outbound } from './outbound.ts';
import type { WindowBudget } from './receive-window.ts';
import { SessionChannel } from './session-channel.ts';
import type { Packets } from './transport.ts';

const requestNameLengthMax = 64;

/** What becomes of a channel request. What is not in the table is refused without further ado. */
type RequestRule = 'start' | 'refuse-and-report';
const requestRules: ReadonlyMap<string, RequestRule> = new Map([
  ['exec', 'start'],
  ['subsystem', 'start'],
  ['shell', 'start'],
  ['x11-req', 'refuse-and-report'],
  ['auth-agent-req@openssh.com', 'refuse-and-report'],
]);

/** Global requests that would open a way into our network. The others are questions, which are answered with no. */
const reportedGlobalRequests = new Set(['tcpip-forward', 'streamlocal-forward@openssh.com']);

export interface ChannelsOptions {
  readonly packets: Packets;
  readonly outbound: Outbound;
  readonly windows: WindowBudget;
  readonly login: Login;
  readonly startSession: StartSession;
  readonly events: SshEvents;
  readonly log: Logger;
  readonly onActivity: () => void;
  /** Called when the last running session ended. */
  readonly onIdle: () => void;
}

export class Channels {
  readonly #options: ChannelsOptions;
  readonly #channels = new Map<number, SessionChannel>();
  /** Sessions whose program runs; their channel may be gone already. */
  readonly #running = new Map<SessionChannel, Promise<void>>();
  /** Channels that have or had a program: there is one for each. */
  readonly #started = new WeakSet<SessionChannel>();
  /** Channels that a person sits in front of. */
  readonly #withTerminal = new WeakSet<SessionChannel>();
  #nextId = 0;
  #noMoreSessions = false;
  #refusedRequests = 0;

  constructor(options: ChannelsOptions) {
    this.#options = options;
  }

  /** Whether any program runs. */
  get isRunning(): boolean {
    return this.#running.size > 0;
  }

  /** How many do. */
  get runningCount(): number {
    return this.#running.size;
  }

  /** Whether a program runs that does not wait for the client. */
  get isBusy(): boolean {
    return [...this.#running.keys()].some((channel) => !channel.waitsForClient);
  }

  /** Resolves when all programs that run now have ended, or took longer than anybody should wait for them. */
  async settled(): Promise<void> {
    if (!this.isRunning) return;
    if (await isDoneInTime(Promise.all(this.#running.values()), sshSessionEndMsMax)) return;
    this.#options.log.error({ sessions: this.#running.size }, 'sessions did not end with their connection');
  }

  /** From now on new sessions are refused, and running ones go on. */
  refuseNew(): void {
    this.#noMoreSessions = true;
  }

  /** The connection is gone: every session learns of it. */
  lose(): void {
    for (const channel of this.#channels.values()) channel.onLost();
    this.#options.outbound.release();
  }

  /**
   * Handles a message of the connection protocol, types 80 to 100. Throws `ProtocolError` or `WireError` if the client may
   * not send it.
   */
  handle(payload: Buffer): void {
    const reader = new WireReader(payload, 1);
    const type: number = payload[0] ?? 0;
    switch (type) {
      case message.GLOBAL_REQUEST:
        return this.#onGlobalRequest(reader);
      case message.CHANNEL_OPEN:
        return this.#onOpen(reader);
      case message.CHANNEL_WINDOW_ADJUST:
        return this.#find(reader)?.onWindowAdjust(reader.uint32());
      case message.CHANNEL_DATA:
        return this.#find(reader)?.onData(reader.string());
      case message.CHANNEL_EXTENDED_DATA:
        return this.#onExtendedData(reader);
      case message.CHANNEL_EOF:
        return this.#find(reader)?.onEof();
      case message.CHANNEL_CLOSE:
        return this.#find(reader)?.onClose();
      case message.CHANNEL_REQUEST:
        return this.#onRequest(reader);
      default:
      // Answers to questions that we never ask. Ignored.
    }
  }

  /** A channel that is gone is no error: some clients still adjust the window of one that they have closed. */
  #find(reader: WireReader): SessionChannel | undefined {
    return this.#channels.get(reader.uint32());
  }

  #onGlobalRequest(reader: WireReader): void {
    const name = reader.name();
    const wantsReply = reader.boolean();
    const { packets } = this.#options;
    if (name === 'no-more-sessions@openssh.com') {
      this.#noMoreSessions = true;
      if (wantsReply) packets.requestSuccess();
      return;
    }
    if (reportedGlobalRequests.has(name)) this.#report(name, null);
    if (wantsReply) packets.requestFailure();
  }

  #onOpen(reader: WireReader): void {
    const type = reader.name();
    const theirId = reader.uint32();
    const windowBytes = reader.uint32();
    const packetBytesMax = reader.uint32();
    const refusal = this.#openRefusal(type, packetBytesMax);
    if (refusal !== undefined) {
      this.#options.packets.channelOpenFail(theirId, refusal.reason, refusal.words);
      return;
    }
    const opening = { ourId: this.#freeId(), theirId, windowBytes, packetBytesMax };
    const channel = new SessionChannel(opening, {
      packets: this.#options.packets,
      outbound: this.#options.outbound,
      windows: this.#options.windows,
      onActivity: this.#options.onActivity,
      onGone: () => {
        this.#channels.delete(opening.ourId);
        // Without a session, nobody else ends what the channel holds.
        if (!this.#started.has(channel)) void channel.finish(1);
      },
    });
    this.#channels.set(channel.ourId, channel);
    this.#options.onActivity();
    channel.confirm();
  }

  #openRefusal(type: string, packetBytesMax: number): { reason: number; words: string } | undefined {
    if (type !== 'session') {
      this.#report(type, null);
      const known = type === 'direct-tcpip' || type === 'direct-streamlocal@openssh.com';
      const reason = known ? openFailure.ADMINISTRATIVELY_PROHIBITED : openFailure.UNKNOWN_CHANNEL_TYPE;
      return { reason, words: 'only sessions are served here' };
    }
    if (this.#noMoreSessions) {
      return { reason: openFailure.ADMINISTRATIVELY_PROHIBITED, words: 'no more sessions' };
    }
    if (packetBytesMax < sshPeerPacketBytesMin) {
      return {
        reason: openFailure.CONNECT_FAILED,
        words: `maximum packet size below ${sshPeerPacketBytesMin}`,
      };
    }
    if (this.#sessionCount() >= sshSessionsPerConnectionMax) {
      return { reason: openFailure.RESOURCE_SHORTAGE, words: 'too many sessions' };
    }
    return undefined;
  }

  /** Open channels, and programs that still run although their channel is gone. */
  #sessionCount(): number {
    const orphans = [...this.#running.keys()].filter((channel) => !this.#channels.has(channel.ourId));
    return this.#channels.size + orphans.length;
  }

  #freeId(): number {
    while (this.#channels.has(this.#nextId)) this.#nextId = (this.#nextId + 1) >>> 0;
    const id = this.#nextId;
    this.#nextId = (id + 1) >>> 0;
    return id;
  }

  #onExtendedData(reader: WireReader): void {
    const channel = this.#find(reader);
    reader.uint32(); // The kind of data.
    channel?.onExtendedData(reader.string().length);
  }

  #onRequest(reader: WireReader): void {
    const channel = this.#find(reader);
    const name = reader.name();
    const wantsReply = reader.boolean();
    if (channel === undefined) return;
    const rule = requestRules.get(name);
    const request = rule === 'start' ? this.#sessionRequest(name, channel, reader) : undefined;
    if (rule === 'refuse-and-report') this.#report(name, null);
    if (name === 'pty-req') this.#withTerminal.add(channel);
    if (request === undefined) {
      // Everything has an answer, also on a running session: PuTTY asks winadj@putty.projects.tartarus.org and waits.
      if (wantsReply) channel.answer(false);
      return;
    }
    if (wantsReply) channel.answer(true);
    this.#options.onActivity();
    this.#start(request, channel);
  }

  /** What to run, or undefined (and reported) if this channel can't have it. */
  #sessionRequest(name: string, channel: SessionChannel, reader: WireReader): SessionRequest | undefined {
    if (this.#started.has(channel)) {
      this.#report(name, null);
      return undefined;
    }
    if (name === 'shell') return { kind: 'shell', hadTerminal: this.#withTerminal.has(channel) };
    const text = reader.string();
    if (name === 'exec' && text.length <= commandBytesMax) {
      // A copy, because the packet's memory belongs to a much larger buffer. Bytes, because names are bytes.
      return { kind: 'exec', command: Buffer.from(text) };
    }
    if (name === 'subsystem' && text.equals(sftp)) return { kind: 'subsystem', name: 'sftp' };
    this.#report(name, name === 'subsystem' ? printable(text.toString('utf8'), requestNameLengthMax) : null);
    return undefined;
  }

  #start(request: SessionRequest, channel: SessionChannel): void {
    const { onIdle, onActivity } = this.#options;
    this.#started.add(channel);
    const ended = this.#run(request, channel).then(() => {
      this.#running.delete(channel);
      onActivity();
      if (!this.isRunning) onIdle();
    });
    this.#running.set(channel, ended);
  }

  /** Starts the session in this very turn, so that nothing that the client sends next is missed. Never rejects. */
  async #run(request: SessionRequest, channel: SessionChannel): Promise<void> {
    const { startSession, login, log } = this.#options;
    try {
      await startSession(request, channel, login);
    } catch (error) {
      log.error({ err: error }, 'a session failed in a way that it should have handled');
    }
    // Does nothing if the session finished by itself, as it should have.
    await channel.finish(1);
  }

  #report(request: string, name: string | null): void {
    this.#refusedRequests += 1;
    if (this.#refusedRequests > sshRefusedRequestsMax) throw new ProtocolError('too many refused requests');
    const { events, login } = this.#options;
    events.requestRefused(login, { request: printable(request, requestNameLengthMax), name });
  }
}

const sftp = Buffer.from('sftp');
