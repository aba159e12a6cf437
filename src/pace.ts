/**
 * Whether a short read or write is done on the spot. What is in the page cache comes quicker than a thread does; what the
 * disk has to be waited for holds up everybody. So a call that took long makes all of them go to threads for a while: a slow
 * disk costs each process one such wait in that time, and no more.
 */
import { spotBytesMax, spotRestMs, spotSlowMs } from './limits.ts';

let restingUntilMs = 0;

/** Runs `spot` if so few bytes are worth it now, else `thread`. */
export async function paced<T>(byteCount: number, spot: () => T, thread: () => Promise<T>): Promise<T> {
  const beganMs = performance.now();
  if (byteCount > spotBytesMax || beganMs < restingUntilMs) return await thread();
  try {
    return spot();
  } finally {
    const endedMs = performance.now();
    if (endedMs - beganMs > spotSlowMs) restingUntilMs = endedMs + spotRestMs;
  }
}
