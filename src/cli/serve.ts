/**
 * `scpd serve`: from a configuration to a running server, and from a signal to its end. The first SIGINT or SIGTERM lets
 * transfers finish for as long as the configuration says; the second ends the process at once.
 */
import type { Logger } from 'pino';
import { lockedChanges } from '../config/locked.ts';
import { findPredecessor } from '../supervisor/predecessor.ts';
import { serviceManager } from '../supervisor/service-manager.ts';
import { WorkerStock } from '../supervisor/worker-stock.ts';
import { addressText } from './address.ts';
import type { Command, ExitCode } from './command.ts';
import { configOption, loadReported } from './config-option.ts';
import { makeLogger } from './logger.ts';
import { printLine, printProblem, tolerateFailingOutput } from './output.ts';
import { version } from './run.ts';

const signalExitCodes = { SIGINT: 130, SIGTERM: 143 } as const; // 128 and the signal's number, as shells have it
const stopSlackMs = 10_000; // for what follows the drain: aborts, fsyncs, the journal

export const command: Command = {
  description: `Listens on the configured addresses and prints one line for each on standard output when
it is ready. The log goes to standard error: readable on a terminal, JSON lines otherwise.
SIGHUP has it read the configuration again, as "scpd reload" does. SIGINT or SIGTERM stops it: running transfers may finish for limits.drainSeconds, then exit
code 0. A second signal stops it at once, with exit code 130 or 143.`,
  options: configOption,

  async run({ config: path = configOption.config.default }) {
    const predecessor = await findPredecessor();
    const config = await loadReported(path, predecessor && ((problems) => predecessor.giveBack(problems)));
    if (config === undefined) return 1;
    if (predecessor !== undefined) {
      const { problem, offer } = predecessor;
      const problems = problem === undefined ? await lockedChanges(path, offer.locked, config) : [problem];
      if (problems.length > 0) await predecessor.giveBack(problems);
    }
    const log = makeLogger(config.log.level);
    exitOnFault(log);
    tolerateFailingOutput();
    // They load while this process loads the rest of its own program, and opens journal and catalog.
    const workers = new WorkerStock(config.workers);
    const start = async (): Promise<Stoppable> => {
      try {
        const { startServer } = await import('../compose.ts');
        return await startServer(config, log, { shownPath: path, predecessor, workers });
      } catch (error) {
        workers.discard();
        await predecessor?.giveBack([error instanceof Error ? error.message : String(error)]);
        throw error;
      }
    };
    return serve(start, { log, drainSeconds: config.limits.drainSeconds });
  },
};

/** What `startServer` gives. */
export interface Stoppable {
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  readonly stopAsked?: Promise<void>;
  readonly handedOver?: Promise<unknown>;
  reload?(): Promise<unknown>;
  stop(): Promise<void>;
}

/** Starts, says so, and stops at the first signal. A signal that comes during the start counts. */
export async function serve(
  start: () => Promise<Stoppable>,
  { log, drainSeconds }: { readonly log: Logger; readonly drainSeconds: number },
): Promise<ExitCode> {
  const stopAsked = firstStopSignal(log);
  let server: Stoppable;
  try {
    server = await start();
  } catch (error) {
    log.debug({ err: error }, 'start failed');
    printProblem(`scpd: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
  for (const address of server.addresses) printLine(`scpd ${version()} listening on ${addressText(address)}`);
  const manager = serviceManager(process.env, (error) => log.warn({ err: error }, 'systemd can not be told'));
  manager.tell('ready');
  manager.startWatchdog();
  process.on('SIGHUP', () => {
    manager.tell('reloading');
    void server.reload?.().then(() => manager.tell('ready'));
  });
  const asked = server.stopAsked?.then(() => 'scpd stop') ?? stopAsked;
  const handedOver = server.handedOver?.then(() => undefined) ?? stopAsked;
  const signal = await Promise.race([stopAsked, asked, handedOver]);
  if (signal === undefined) return await relayToTheEnd(server, log);
  log.info({ signal, drainSeconds }, 'stopping; a second signal stops at once');
  manager.tell('stopping');
  const overdue = setTimeout(
    () => {
      log.error('stopping took too long; what was not finished is aborted');
      process.exit(1);
    },
    drainSeconds * 1000 + stopSlackMs,
  );
  await server.stop();
  clearTimeout(overdue);
  log.info('stopped');
  return 0;
}

/** Another process is the server now, also for signals. */
async function relayToTheEnd(server: Stoppable, log: Logger): Promise<ExitCode> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.removeAllListeners(signal);
    process.on(signal, () =>
      log.warn({ signal }, 'another process serves; this one ends with its last connection'),
    );
  }
  await server.stop();
  log.info('the last connection of this process has ended');
  return 0;
}

/** Resolves at the first signal to stop, and makes the second one final. */
function firstStopSignal(log: Logger): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let stopping = false;
    const onSignal = (signal: keyof typeof signalExitCodes): void => {
      if (stopping) {
        log.warn({ signal }, 'stopped at once');
        process.exit(signalExitCodes[signal]);
      }
      stopping = true;
      resolve(signal);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}

/** An error that nothing caught leaves us in a state that nobody knows. Rejections come here as well. */
function exitOnFault(log: Logger): void {
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'a fault of scpd itself; please report it');
    process.exit(1);
  });
}
