/** `workers: 0`: this process serves by itself. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Generation } from './serving.ts';
import type { Serving } from './serving.ts';

export function localGeneration(serving: Serving): Generation {
  const began = performance.now();
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  let retiring = false;
  return {
    take: (socket, seat) => serving.take(socket, seat),
    status: async () => {
      const status = serving.status();
      const loopLagMs = Math.round(delay.max / 1e6);
      delay.reset();
      const worker = {
        pid: process.pid,
        state: retiring ? ('retiring' as const) : ('serving' as const),
        connections: status.connections.length,
        upMs: Math.round(performance.now() - began),
        memoryBytes: process.memoryUsage.rss(),
        loopLagMs,
        recordsWaiting: 0,
      };
      return { ...status, workers: [worker] };
    },
    endConnection: (id) => serving.endConnection(id),
    recheck: (config) => void serving.recheck(config),
    retire: async ({ retireSeconds, drainSeconds }) => {
      retiring = true;
      const timer = setTimeout(() => void serving.close({ drainSeconds }), retireSeconds * 1000);
      await serving.retire();
      clearTimeout(timer);
      delay.disable();
    },
    close: async (options) => {
      await serving.close(options);
      delay.disable();
    },
  };
}
