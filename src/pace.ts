/**
 * Whether a short read or write is done on the spot. What is in the page cache comes quicker than a thread does; what the
 * disk has to be waited for holds up everybody. So a call that took long makes all of them go to threads for a while: a slow
 * disk costs each process one such wait in that time, and no more. Nor does a long work of many such calls hold up anybody: after
 * a while without a turn of the event loop, the next call goes to a thread.
 */
import { spotBytesMax, spotRestMs, spotSlowMs, spotTurnMsMax } from './limits.ts';

let restingUntilMs = 0;
/** When the first call of this turn of the event loop began. */
let turnBeganMs: number | undefined;

/** Runs `spot` if so few bytes are worth it now, else `thread`. */
export async function paced<T>(byteCount: number, spot: () => T, thread: () => Promise<T>): Promise<T> {
  const beganMs = performance.now();
  const isTooMuch = byteCount > spotBytesMax || beganMs - turnBegan(beganMs) > spotTurnMsMax;
  if (isTooMuch || beganMs < restingUntilMs) return await thread();
  try {
    return spot();
  } finally {
    const endedMs = performance.now();
    if (endedMs - beganMs > spotSlowMs) restingUntilMs = endedMs + spotRestMs;
  }
}

/** For loops whose length others decide, and that wait for no thread: lets the others have a turn if this one lasts too long. */
export async function giveWay(): Promise<void> {
  const nowMs = performance.now();
  if (nowMs - turnBegan(nowMs) > spotTurnMsMax) await new Promise((resolve) => setImmediate(resolve));
}

function turnBegan(nowMs: number): number {
  if (turnBeganMs === undefined) {
    turnBeganMs = nowMs;
    setImmediate(() => (turnBeganMs = undefined));
  }
  return turnBeganMs;
}
