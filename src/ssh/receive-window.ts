/**
 * What a channel's client may send before it has been read (RFC 4254, section 5.2). It begins with `sshWindowBytes`, which
 * is all that a near client needs. A far one then waits a round trip for each such portion, so the window doubles while two
 * things hold: the client used up all that it was allowed and sat waiting, long or more than once, and whoever reads had taken
 * everything by then. A near one gains nothing by more, which only takes memory: a server that was busy meanwhile kept it
 * waiting, not the line. OpenSSH's client buffers as much as the window lets it, and grows that buffer in 32 KiB steps, copying
 * it each time: sixteen uploads at once took it a third more CPU.
 *
 * A grown window is memory that a reader which stops later will fill, so what all windows of the process have grown by is
 * bounded (`WindowBudget`); where nothing is left of that, a channel stays as it is.
 */
import { ProtocolError } from '../errors.ts';
import {
  sshWindowBytes,
  sshWindowBytesMax,
  sshWindowGrowthBytesMax,
  sshWindowFarStallMsMin,
  sshWindowStallMsMin,
  sshWindowStallsMin,
} from '../limits.ts';

/** What all windows together may grow by. */
export class WindowBudget {
  #leftBytes: number;

  constructor(bytes = sshWindowGrowthBytesMax) {
    this.#leftBytes = bytes;
  }

  /** Whether so many bytes were left; they are taken then. */
  take(byteCount: number): boolean {
    if (byteCount > this.#leftBytes) return false;
    this.#leftBytes -= byteCount;
    return true;
  }

  giveBack(byteCount: number): void {
    this.#leftBytes += byteCount;
  }
}

/** For how long this process has waited for events in all, in milliseconds. */
function idleMsOfProcess(): number {
  return performance.eventLoopUtilization().idle;
}

export class ReceiveWindow {
  readonly #budget: WindowBudget;
  readonly #idleMs: () => number;
  #sizeBytes = sshWindowBytes;
  /** What the client may send now. */
  #allowedBytes = sshWindowBytes;
  /** Received and not yet taken by the reader. */
  #unreadBytes = 0;
  /** Taken, and not yet granted anew. */
  #takenBytes = 0;
  #growBytes = 0;
  /** What was allowed when the last grant was sent: what comes after it was sent because of the grant. */
  #beforeGrantBytes = 0;
  #grantedAtMs: number | undefined;
  #idleAtGrantMs = 0;
  #receivedAtMs = 0;
  #stalls = 0;
  #isClosed = false;

  constructor(budget: WindowBudget, idleMs = idleMsOfProcess) {
    this.#budget = budget;
    this.#idleMs = idleMs;
  }

  /** What the client is told when the channel opens. */
  get initialBytes(): number {
    return sshWindowBytes;
  }

  /** The client sent data. Throws `ProtocolError` if it is more than it was allowed to. */
  receive(byteCount: number, nowMs = performance.now()): void {
    if (byteCount > this.#allowedBytes) throw new ProtocolError('data beyond the window');
    this.#allowedBytes -= byteCount;
    if (this.#grantedAtMs !== undefined) this.#watch(byteCount, this.#grantedAtMs, nowMs);
    this.#unreadBytes += byteCount;
    this.#receivedAtMs = nowMs;
  }

  /** The reader took data. Answers what to grant now: a grant for each packet would double their number. */
  take(byteCount: number, nowMs = performance.now()): number {
    this.#unreadBytes -= byteCount;
    this.#takenBytes += byteCount;
    if (this.#takenBytes < sshWindowBytes / 2) return 0;
    const grantBytes = this.#takenBytes + this.#growBytes;
    this.#takenBytes = 0;
    this.#growBytes = 0;
    // While one grant is watched, the next ones are not.
    if (this.#grantedAtMs === undefined) {
      this.#grantedAtMs = nowMs;
      this.#idleAtGrantMs = this.#idleMs();
      this.#beforeGrantBytes = this.#allowedBytes;
    }
    this.#allowedBytes += grantBytes;
    return grantBytes;
  }

  /** Nobody reads any more, and nothing is kept for a reader. It must be called once for each window that was read from. */
  close(): void {
    this.#isClosed = true;
    this.#budget.giveBack(this.#sizeBytes - sshWindowBytes);
    this.#sizeBytes = sshWindowBytes;
    this.#growBytes = 0;
  }

  #watch(byteCount: number, grantedAtMs: number, nowMs: number): void {
    this.#beforeGrantBytes -= byteCount;
    if (this.#beforeGrantBytes >= 0) return;
    this.#grantedAtMs = undefined;
    const waitedMs = nowMs - Math.max(this.#receivedAtMs, grantedAtMs);
    const hasStalled = waitedMs >= sshWindowStallMsMin && waitedMs >= (nowMs - grantedAtMs) / 4;
    const wasBusy = this.#idleMs() - this.#idleAtGrantMs < (nowMs - grantedAtMs) / 2;
    this.#stalls = hasStalled && !wasBusy && this.#unreadBytes === 0 ? this.#stalls + 1 : 0;
    const isFar = this.#stalls > 0 && waitedMs >= sshWindowFarStallMsMin;
    if (this.#stalls < sshWindowStallsMin && !isFar) return;
    this.#stalls = 0;
    this.#grow();
  }

  #grow(): void {
    const moreBytes = Math.min(this.#sizeBytes, sshWindowBytesMax - this.#sizeBytes);
    if (this.#isClosed || moreBytes === 0 || !this.#budget.take(moreBytes)) return;
    this.#sizeBytes += moreBytes;
    this.#growBytes += moreBytes;
  }
}
