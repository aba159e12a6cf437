/**
 * The program of a worker process: serves the connections that its supervisor hands to it. It opens no listening socket and
 * no journal; what it may not decide alone it asks for (`supervisor/uplink.ts`).
 */
import { makeLogger } from './cli/logger.ts';
import { openConfiguredCatalog } from './compose-catalog.ts';
import { createServing, hasOwners } from './compose-serving.ts';
import { checkSandbox } from './storage/self-check.ts';
import type { ToWorker } from './supervisor/messages.ts';
import { watchParent } from './supervisor/parent-watch.ts';
import { Uplink } from './supervisor/uplink.ts';

// The terminal and the service manager signal all processes at once; when a worker ends is for the supervisor to say.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

/** For timers and sockets that should be gone by then. */
const endMs = 500;
/** For a clean end without the supervisor: what is staged is removed, what is claimed is given back. */
const lostMs = 3000;

let closeCatalog: () => Promise<void> = () => Promise.resolve();

const uplink = new Uplink({
  send: (message) => {
    if (process.connected) process.send?.(message, undefined, {}, () => undefined);
  },
  serve: async (config, { journal, ownership, measure }) => {
    checkSandbox();
    const log = makeLogger(config.log.level);
    process.on('uncaughtException', (error) => {
      log.fatal({ err: error }, 'a fault of scpd itself; please report it');
      process.exit(1);
    });
    const catalog = await openConfiguredCatalog(config, 'checked');
    closeCatalog = () => catalog.close();
    const serving = await createServing(config, { journal, catalog, ownership, log, measure });
    // Now, and not first: before it serves, nothing that it does can hang, and clients wait for it.
    watchParent(lostMs + endMs);
    return serving;
  },
  hasOwners,
  end: (exitCode) => {
    // The channel keeps the process; what was sent before is sent first.
    void closeCatalog()
      .catch(() => undefined)
      .finally(() => {
        process.exitCode = exitCode;
        if (process.connected) process.disconnect();
        setTimeout(() => process.exit(exitCode), endMs).unref();
      });
  },
});

process.on('message', (message: ToWorker, handle: unknown) => uplink.onMessage(message, handle));
process.on('disconnect', () => {
  uplink.onLost();
  setTimeout(() => process.exit(1), lostMs).unref();
});
