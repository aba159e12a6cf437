/** Tells when nothing happened for a while. `touch` is called for every packet, so it only notes the time. */
export class IdleTimer {
  readonly #idleMs: number;
  readonly #onIdle: () => void;
  #lastTouch = performance.now();
  #timer: NodeJS.Timeout;
  #stopped = false;

  /** @param onIdle may call `touch` to wait for another while; otherwise it is not called again. */
  constructor(idleMs: number, onIdle: () => void) {
    this.#idleMs = idleMs;
    this.#onIdle = onIdle;
    this.#timer = setTimeout(() => this.#check(), idleMs);
  }

  touch(): void {
    this.#lastTouch = performance.now();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #check(): void {
    if (this.#left() <= 0) this.#onIdle();
    const left = this.#left();
    // The least wait keeps a clock that is a little early from being asked over and over.
    if (!this.#stopped && left > 0) this.#timer = setTimeout(() => this.#check(), Math.max(left, 1));
  }

  #left(): number {
    return this.#lastTouch + this.#idleMs - performance.now();
  }
}
