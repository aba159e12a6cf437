/** How long others wait while something is done. */
import type { Test } from 'tap';

/** Fails if all, or the half, of `act` is done without a turn of the event loop. */
export async function othersGetTurns(t: Test, act: () => Promise<unknown>): Promise<void> {
  const beganMs = performance.now();
  let [lastMs, longestMs] = [beganMs, 0];
  const look = (): void => {
    longestMs = Math.max(longestMs, performance.now() - lastMs);
    lastMs = performance.now();
  };
  const timer = setInterval(look, 1);
  await act();
  clearInterval(timer);
  look();
  const tookMs = lastMs - beganMs;
  t.ok(longestMs < tookMs / 2, `others waited ${Math.round(longestMs)} of ${Math.round(tookMs)} ms`);
}
