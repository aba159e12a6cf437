/**
 * One act at a time, in the order asked. A transfer uses it so that its descriptor is never closed under a read or write
 * that is still with the kernel: the number would by then belong to another file.
 */
export class Sequence {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#last.then(act);
    this.#last = done.catch(() => undefined); // its caller sees the failure; the next act does not
    return done;
  }
}
