/**
 * One act at a time, in the order asked, and none after the last. A transfer uses it so that its descriptor is never
 * closed under a read or write that is still with the kernel, nor used after it was closed: the number would by then
 * belong to another file.
 */
import { ScpdError } from '../errors.ts';

export class Sequence {
  #last: Promise<unknown> = Promise.resolve();
  #isOver = false;

  /** Rejects with INVALID_HANDLE if the last act came before this one. */
  run<T>(act: () => Promise<T>): Promise<T> {
    return this.#enqueue(() => {
      if (this.#isOver) throw new ScpdError('INVALID_HANDLE', 'the transfer is over');
      return act();
    });
  }

  /** The last act: whatever is asked for afterwards is refused. */
  end<T>(act: () => Promise<T>): Promise<T> {
    return this.#enqueue(() => {
      this.#isOver = true;
      return act();
    });
  }

  #enqueue<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#last.then(act);
    this.#last = done.catch(() => undefined); // its caller sees the failure; the next act does not
    return done;
  }
}
