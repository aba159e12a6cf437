/**
 * The listening sockets, and who may come in by them. An accepted socket is counted, and handed on unread: to the SSH side
 * in this process, or to a worker. Nothing of a peer is looked at here but its address.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { ListenAddress } from '../config/config.ts';
import type { ConnectionRefusal } from '../ssh/events.ts';
import { Admission, type AdmissionLimits, type CountedSeat } from './admission.ts';

export interface FrontOptions {
  readonly limits: AdmissionLimits;
  /** Gets each admitted socket, paused, with its seat, which it gives back when the connection is over. */
  readonly take: (socket: Socket, seat: CountedSeat) => void;
  readonly refused: (socket: Socket, reason: ConnectionRefusal) => void;
  readonly log: Logger;
}

/** A socket that listens already, as its address was configured. */
export interface InheritedListener {
  readonly asked: ListenAddress;
  readonly descriptor: number;
}

interface Listener {
  /** As configured; `bound` has the port that was found for 0. */
  readonly asked: ListenAddress;
  readonly bound: ListenAddress;
  readonly server: Server;
}

export class Front {
  readonly admission: Admission;
  readonly #options: FrontOptions;
  #listeners: readonly Listener[] = [];
  /** Accepted, and not looked at yet. */
  #held: Socket[] | undefined;

  constructor(options: FrontOptions) {
    this.#options = options;
    this.admission = new Admission(options.limits);
  }

  get addresses(): readonly ListenAddress[] {
    return this.#listeners.map(({ bound }) => bound);
  }

  /**
   * Listens on these addresses and on no other. Those that are listened on already stay as they are, so no client meets a
   * closed port. If one can't be had, rejects, and all is as it was.
   */
  async listen(
    addresses: readonly ListenAddress[],
    inherited: readonly InheritedListener[] = [],
  ): Promise<void> {
    const kept = [...this.#listeners];
    const wanted: Listener[] = [];
    const opened: Listener[] = [];
    try {
      for (const asked of addresses) {
        const index = kept.findIndex((one) => isSame(one.asked, asked));
        const [existing] = index === -1 ? [] : kept.splice(index, 1);
        const listener = existing ?? (await this.#open(asked, descriptorOf(asked, inherited)));
        if (existing === undefined) opened.push(listener);
        wanted.push(listener);
      }
    } catch (error) {
      for (const { server } of opened) server.close();
      throw error;
    }
    this.#listeners = wanted;
    for (const { server } of kept) server.close();
  }

  /** @param address as it was configured */
  isListening(address: ListenAddress): boolean {
    return this.#listeners.some(({ asked }) => isSame(asked, address));
  }

  /** The listening sockets, for a process that inherits descriptors. */
  get descriptors(): readonly InheritedListener[] {
    return this.#listeners.map(({ asked, server }) => {
      const fd = descriptorIn(server);
      if (fd === undefined || fd < 0) throw new Error('the listening socket has no descriptor');
      return { asked, descriptor: fd };
    });
  }

  /** From now on what is accepted waits, uncounted. */
  hold(): void {
    this.#held ??= [];
  }

  /** What was held, to be admitted by somebody else. */
  giveHeld(): readonly Socket[] {
    const held = this.#held ?? [];
    this.#held = undefined;
    return held;
  }

  /** As if it were accepted now. */
  admit(socket: Socket): void {
    const seat = this.admission.admit(socket.remoteAddress ?? '');
    if (typeof seat !== 'string') {
      this.#options.take(socket, seat);
      return;
    }
    this.#options.refused(socket, seat);
    socket.destroy();
  }

  /** Stops listening. */
  close(): void {
    for (const { server } of this.#listeners) server.close();
    this.#listeners = [];
  }

  async #open(asked: ListenAddress, descriptor: number | undefined): Promise<Listener> {
    // Without delay: small replies wait for an acknowledgement otherwise, at the cost of half of all speed.
    const server = createServer({ noDelay: true, keepAlive: true, pauseOnConnect: true }, (socket) =>
      this.#onSocket(socket),
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      const where = descriptor === undefined ? { host: asked.host, port: asked.port } : { fd: descriptor };
      server.listen(where, () => {
        server.off('error', reject);
        resolve();
      });
    });
    // Later errors are about single connections, such as no more file descriptors: the server lives on.
    server.on('error', (error) =>
      this.#options.log.error({ err: error }, 'a connection could not be accepted'),
    );
    const bound = server.address();
    if (bound === null || typeof bound === 'string') throw new Error('the server listens nowhere');
    return { asked, bound: { host: bound.address, port: bound.port }, server };
  }

  #onSocket(socket: Socket): void {
    // First of all: an error without a listener would end the process.
    socket.on('error', () => undefined);
    if (this.#held !== undefined) this.#held.push(socket);
    else this.admit(socket);
  }
}

function descriptorOf(asked: ListenAddress, inherited: readonly InheritedListener[]): number | undefined {
  return inherited.find((one) => isSame(one.asked, asked))?.descriptor;
}

function isSame(one: ListenAddress, other: ListenAddress): boolean {
  return one.host === other.host && one.port === other.port;
}

/** Node tells it by no other name. */
function descriptorIn(server: object): number | undefined {
  const { _handle: handle } = server as { readonly _handle?: { readonly fd?: number } };
  return handle?.fd;
}
