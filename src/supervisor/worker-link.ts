/**
 * The way to a worker: to a child of this process, or to one of the supervisor before this one (`predecessor.ts`). Who
 * listens may change, because a supervisor that hands over goes on as a mere relay.
 */
import { fork, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { workerLastWordsMs } from '../limits.ts';
import type { FromWorker, ToWorker } from './messages.ts';

export interface WorkerEars {
  readonly onMessage: (message: FromWorker) => void;
  /** It is gone, and this was its last word. */
  readonly onGone: (how: string) => void;
}

export interface WorkerLink {
  readonly pid: number;
  /** @param socket stays the caller's, too; without it the message means nothing to a worker that is gone */
  send(message: ToWorker, socket?: Socket): void;
  kill(): void;
  /** Without a supervisor it ends by itself. */
  disconnect(): void;
  /** From now on these hear of it. */
  listen(ears: WorkerEars): void;
}

/** Starts a process of this module. */
export function forkWorker(program: URL): WorkerLink {
  return new ForkedWorker(
    fork(fileURLToPath(program), [], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    }),
  );
}

class ForkedWorker implements WorkerLink {
  readonly #child: ChildProcess;
  #ears: WorkerEars | undefined;
  #heardMs = performance.now();
  /** Set when it is gone. */
  #gone: string | undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message: FromWorker) => {
      this.#heardMs = performance.now();
      this.#ears?.onMessage(message);
    });
    child.once('error', (error) => this.#onGone(error.message));
    child.once('exit', (code, signal) => void this.#onExit(signal ?? `exit code ${code}`));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  send(message: ToWorker, socket?: Socket): void {
    // A worker that is gone is found by its exit; what was meant for it has no meaning any more.
    if (!this.#child.connected) return;
    if (socket === undefined) this.#child.send(message, () => undefined);
    else this.#child.send(message, socket, { keepOpen: true }, () => undefined);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  disconnect(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  listen(ears: WorkerEars): void {
    this.#ears = ears;
    // It may have ended while nobody was listening yet.
    const gone = this.#gone;
    if (gone !== undefined) queueMicrotask(() => ears.onGone(gone));
  }

  /**
   * What it said last may still be on its way: which sockets it had, and what is to be recorded. The channel's own end is
   * nothing to wait for, because it does not come while a socket is in it.
   */
  async #onExit(how: string): Promise<void> {
    this.#heardMs = performance.now();
    while (this.#child.connected && performance.now() - this.#heardMs < workerLastWordsMs)
      await delay(workerLastWordsMs / 2);
    this.disconnect();
    this.#onGone(how);
  }

  #onGone(how: string): void {
    if (this.#gone !== undefined) return;
    this.#gone = how;
    this.#ears?.onGone(how);
  }
}
