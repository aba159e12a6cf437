/**
 * The supervisor before this one, as seen from the one that takes over. Until `done` it has everything, and goes on if this
 * process ends. After that it is the way to the workers that it started, which finish what they have.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { existsSync } from 'node:fs';
import { Socket } from 'node:net';
import { workerEndMsMax } from '../limits.ts';
import {
  handOverProtocol,
  takeOverVariable,
  type FromSuccessor,
  type HandedState,
  type Offer,
  type ToSuccessor,
} from './hand-over-messages.ts';
import type { WorkerEars, WorkerLink } from './worker-link.ts';

/** The one that has started this process to take over, if that is how it was started. */
export async function findPredecessor(): Promise<Predecessor | undefined> {
  const named = process.env[takeOverVariable];
  delete process.env[takeOverVariable];
  // What is left in the environment of others means nothing.
  if (named !== String(process.ppid) || process.send === undefined) return undefined;
  const predecessor = new Predecessor(process.ppid);
  await predecessor.offered;
  return predecessor;
}

export class Predecessor {
  readonly pid: number;
  readonly offered: Promise<Offer>;
  /** Resolves when it has ended, after the last of its workers. */
  readonly gone: Promise<void>;
  readonly #state: Promise<HandedState>;
  readonly #workers = new Map<number, RelayedWorker>();
  #offer: Offer | undefined;
  #onAccepted: (socket: Socket) => void = (socket) => socket.destroy();
  #isDone = false;
  /** For its workers; it must not hear of it before everything is ours. */
  #early: FromSuccessor[] = [];

  constructor(pid: number) {
    this.pid = pid;
    let offered: (offer: Offer) => void;
    let given: (state: HandedState) => void;
    this.offered = new Promise((resolve) => (offered = resolve));
    this.#state = new Promise((resolve) => (given = resolve));
    process.on('message', (message: ToSuccessor, handle: unknown) => {
      switch (message.kind) {
        case 'offer':
          this.#offer = message;
          return offered(message);
        case 'state':
          return given(message.state);
        case 'from':
          return this.#workers.get(message.worker)?.ears?.onMessage(message.message);
        case 'gone':
          return this.#onGone(message.worker, message.how);
        case 'accepted':
          if (handle instanceof Socket) this.#onAccepted(unread(handle));
      }
    });
    this.gone = new Promise((resolve) => process.once('disconnect', resolve));
    process.once('disconnect', () => {
      // As long as it has everything, there is nothing for us to do without it.
      if (!this.#isDone) process.exit(1);
      for (const worker of this.#workers.values()) void this.#endAlone(worker);
    });
  }

  get offer(): Offer {
    if (this.#offer === undefined) throw new Error('nothing was offered');
    return this.#offer;
  }

  /** Why this version can't take over; undefined if it can. */
  get problem(): string | undefined {
    const { protocol, version } = this.offer;
    return protocol === handOverProtocol
      ? undefined
      : `the running scpd ${version} can not hand over to this version; stop it and start the new one`;
  }

  /** Says that all is prepared. From the answer on the old one stands still, and waits. */
  async ready(): Promise<HandedState> {
    this.#send({ kind: 'ready' });
    return await this.#state;
  }

  /** A way to a worker of the old one. */
  link(pid: number): WorkerLink {
    const worker = new RelayedWorker(pid, (message) => this.#command(message), this.pid);
    this.#workers.set(pid, worker);
    return worker;
  }

  /** This one serves now. @param onAccepted gets sockets that the old one has accepted and not looked at */
  done(onAccepted: (socket: Socket) => void): void {
    this.#isDone = true;
    this.#onAccepted = onAccepted;
    this.#send({ kind: 'done' });
    for (const message of this.#early.splice(0)) this.#send(message);
  }

  /** Says why not, and ends this process at once: what it has begun must have no effect. */
  async giveBack(problems: readonly string[]): Promise<never> {
    await new Promise((resolve) => this.#send({ kind: 'unable', problems }, resolve));
    process.exit(1);
  }

  #command(message: FromSuccessor): void {
    if (this.#isDone) this.#send(message);
    else this.#early.push(message);
  }

  #send(message: FromSuccessor, sent: (outcome?: unknown) => void = () => undefined): void {
    if (process.connected) process.send?.(message, undefined, {}, sent);
    else sent();
  }

  #onGone(pid: number, how: string): void {
    const worker = this.#workers.get(pid);
    if (worker === undefined) return;
    this.#workers.delete(pid);
    worker.isGone = true;
    worker.ears?.onGone(how);
  }

  /** Its supervisor is gone, so it ends by itself, but nobody tells us when. */
  async #endAlone(worker: RelayedWorker): Promise<void> {
    worker.kill();
    for (let waitedMs = 0; waitedMs < workerEndMsMax && existsSync(`/proc/${worker.pid}`); waitedMs += 20)
      await delay(20);
    this.#onGone(worker.pid, 'the supervisor that had started it is gone');
  }
}

/**
 * Node begins to read from a socket that comes from another process, and what is read here is lost to the worker. In the
 * turn in which it comes nothing can have been read yet.
 */
function unread(socket: Socket): Socket {
  const { _handle: handle } = socket as unknown as { readonly _handle: ReadingHandle | null };
  if (handle !== null) {
    handle.reading = false;
    handle.readStop();
  }
  return socket;
}

interface ReadingHandle {
  reading: boolean;
  readStop(): void;
}

class RelayedWorker implements WorkerLink {
  readonly pid: number;
  ears: WorkerEars | undefined;
  isGone = false;
  readonly #send: (message: FromSuccessor) => void;
  readonly #supervisor: number;

  constructor(pid: number, send: (message: FromSuccessor) => void, supervisor: number) {
    this.pid = pid;
    this.#send = send;
    this.#supervisor = supervisor;
  }

  send(message: Parameters<WorkerLink['send']>[0]): void {
    this.#send({ kind: 'to', worker: this.pid, message });
  }

  /** Its number can't be another's as long as its supervisor has not heard of its end. */
  kill(): void {
    if (process.connected) this.#send({ kind: 'kill', worker: this.pid });
    else end(this.pid);
    // A relay that does not do it hangs; nothing of it is needed any more.
    setTimeout(() => {
      if (!this.isGone && process.connected) end(this.#supervisor);
    }, workerEndMsMax).unref();
  }

  /** Only with all that its supervisor has. */
  disconnect(): void {
    this.kill();
  }

  listen(ears: WorkerEars): void {
    this.ears = ears;
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}
