/**
 * Ends this process when its supervisor is gone, even if it hangs: a main thread that spins does not see the end of its channel,
 * and the supervisor that would have killed it can't any more. Linux would tell it by a signal, but Node can't ask for that; so
 * a second thread looks. It costs some 9 MB.
 */
import { Worker } from 'node:worker_threads';
import { parentLookMs } from '../limits.ts';

/** As it was when this process started: who asks later might be told of its heir. */
const parent = process.ppid;

/** @param graceMs how long a process that does not hang may take to end by itself */
export function watchParent(graceMs: number): void {
  const program = `
    const timer = setInterval(() => {
      if (process.ppid === ${parent}) return;
      clearInterval(timer);
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), ${graceMs});
    }, ${parentLookMs});`;
  const watch = new Worker(program, {
    eval: true,
    execArgv: [],
    env: {},
    resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16, stackSizeMb: 1 },
  });
  watch.unref();
}
