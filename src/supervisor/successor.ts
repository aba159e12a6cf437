/**
 * The supervisor that is to take over from this one: this program again, as it is on the disk now, with the same command line.
 * It inherits the listening sockets, so there is no moment at which nobody listens.
 */
import { fork, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { takeOverVariable, type FromSuccessor, type Offer, type ToSuccessor } from './hand-over-messages.ts';

/** Where a program's own descriptors begin: behind those of its terminal and the channel. */
const firstDescriptor = 4;

/** It can't take over. */
export class SuccessorProblem extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.problems = problems;
  }
}

export class Successor {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  /** What came before anybody listened. */
  #kept: FromSuccessor[] = [];
  #onMessage: ((message: FromSuccessor) => void) | undefined;

  constructor(offer: Omit<Offer, 'kind'>) {
    this.#child = fork(process.argv[1] ?? '', process.argv.slice(2), {
      serialization: 'advanced',
      env: { ...process.env, [takeOverVariable]: String(process.pid) },
      stdio: ['inherit', 'inherit', 'inherit', 'ipc', ...offer.listeners.map(({ descriptor }) => descriptor)],
    });
    this.#ended = once(this.#child, 'exit').catch(() => undefined);
    this.#child.on('message', (message: FromSuccessor) => {
      if (this.#onMessage === undefined) this.#kept.push(message);
      else this.#onMessage(message);
    });
    const listeners = offer.listeners.map(({ asked }, index) => ({
      asked,
      descriptor: firstDescriptor + index,
    }));
    this.send({ kind: 'offer', ...offer, listeners });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  send(message: ToSuccessor): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  /** The socket becomes the other's. Resolves when it is on its way. */
  async give(socket: Socket): Promise<void> {
    const message: ToSuccessor = { kind: 'accepted' };
    await new Promise((resolve) => this.#child.send(message, socket, {}, resolve));
  }

  /** Resolves when it says this; rejects with `SuccessorProblem` if it says no, ends, or takes too long. */
  async says(kind: 'ready' | 'done', msMax: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const fail = (problem: string): void => reject(new SuccessorProblem([problem]));
      const timer = setTimeout(
        () => fail(`process ${this.pid} was not ${kind} after ${msMax / 1000} s`),
        msMax,
      );
      this.#hearBy((message) => {
        // What follows may come before whoever waits for this has gone on.
        this.#onMessage = undefined;
        clearTimeout(timer);
        if (message.kind === kind) resolve();
        else if (message.kind === 'unable') reject(new SuccessorProblem(message.problems));
        else fail(`process ${this.pid} said "${message.kind}", not "${kind}"`);
      });
      void this.#ended.then(() => {
        clearTimeout(timer);
        fail(`process ${this.pid} could not start; its own words are in the log`);
      });
    });
  }

  /** From now on it tells what is to become of the workers. */
  listen(onMessage: (message: FromSuccessor) => void, onLost: () => void): void {
    this.#hearBy(onMessage);
    this.#child.once('disconnect', onLost);
    if (!this.#child.connected) onLost();
  }

  #hearBy(onMessage: (message: FromSuccessor) => void): void {
    this.#onMessage = onMessage;
    for (
      let next = this.#kept[0];
      next !== undefined && this.#onMessage === onMessage;
      next = this.#kept[0]
    ) {
      this.#kept.shift();
      onMessage(next);
    }
  }

  /** Kills it. Resolves when it has ended. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** Nothing more is to be said. */
  leave(): void {
    if (this.#child.connected) this.#child.disconnect();
    this.#child.unref();
  }
}
