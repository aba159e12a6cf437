/**
 * From a configuration to a running server. The `compose` modules are the only place that builds services and wires them
 * together. Read them from `startServer` downwards, then `compose-serving.ts` from the bottom upwards, and you have followed a
 * connection from its socket to the disk.
 */
import type { Logger } from 'pino';
import { MovableJournal } from './audit/movable-journal.ts';
import { JournalCopies } from './audit/copies.ts';
import { Receipts } from './audit/receipts.ts';
import type { Catalog } from './catalog/catalog.ts';
import { startCatalog } from './compose-catalog.ts';
import { configRecord, openJournal } from './compose-journal.ts';
import { closeStored, startRunning } from './compose-running.ts';
import type { Config, ListenAddress } from './config/config.ts';
import type { StartSession } from './session/start.ts';
import { checkSandbox } from './storage/self-check.ts';
import type { Predecessor } from './supervisor/predecessor.ts';
import type { Reloaded } from './supervisor/supervisor.ts';
import type { WorkerStock } from './supervisor/worker-stock.ts';

export interface RunningServer {
  /** Where it listens, with the ports that were found for those configured as 0. */
  readonly addresses: readonly ListenAddress[];
  /** Resolves when somebody asks for its end by the control socket. */
  readonly stopAsked: Promise<void>;
  /** Resolves when another process has taken over: then only `stop` is left, which waits for the last connections. */
  readonly handedOver: Promise<{ readonly pid: number }>;
  /** Reads the configuration again. What is wrong with it changes nothing. Never rejects. */
  reload(): Promise<Reloaded>;
  /** Lets running sessions finish for `limits.drainSeconds`, then ends them; resolves when all is closed and written. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** Something that watches the sessions. With it, all is served in this process. */
  readonly around?: (start: StartSession) => StartSession;
  /** The configuration's file, as the operator gave it. */
  readonly shownPath?: string;
  /** Takes over from a server that runs, instead of starting anew. */
  readonly predecessor?: Predecessor | undefined;
  /** Processes that were started as soon as it was known how many are needed. */
  readonly workers?: WorkerStock;
}

/** Starts everything, or nothing: rejects with an Error whose message is for the operator. */
export async function startServer(
  config: Config,
  log: Logger,
  options: StartOptions = {},
): Promise<RunningServer> {
  checkSandbox();
  const isFirst = options.predecessor === undefined;
  const followers = { receipts: new Receipts(log), copies: new JournalCopies(log) };
  const journal = new MovableJournal(isFirst ? await openJournal(config, { log, ...followers }) : undefined);
  let catalog: Catalog | undefined;
  try {
    if (isFirst) journal.append(configRecord(config));
    catalog = await startCatalog(config, log);
    return await startRunning(config, { journal, ...followers, catalog, log, options });
  } catch (error) {
    await closeStored({ catalog, journal }).catch((failure: unknown) =>
      log.error({ err: failure }, 'closing'),
    );
    await followers.copies.close();
    throw error;
  }
}
