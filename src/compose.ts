/**
 * From a configuration to a running server: the only place that builds services and wires them together. Read it from
 * `startServer` downwards, then `compose-serving.ts` from the bottom upwards, and you have followed a connection from its
 * socket to the disk.
 */
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { openFileJournal, type FileJournal } from './audit/file-journal.ts';
import { serverRecord, type AuditRecord } from './audit/record.ts';
import { auditSshEvents } from './audit/ssh-audit.ts';
import type { Catalog } from './catalog/catalog.ts';
import { catalogRoots, recoverCatalog, startCatalog } from './compose-catalog.ts';
import { sweepPartialUploads } from './compose-resume.ts';
import { createServing } from './compose-serving.ts';
import { sweepVersions, type Stored } from './compose-versions.ts';
import type { Config, ListenAddress } from './config/config.ts';
import { ConfigError } from './config/config-error.ts';
import { configDifferences } from './config/diff.ts';
import { loadConfig } from './config/load.ts';
import { lockedChanges } from './config/locked.ts';
import { Ownership } from './guard/ownership.ts';
import type { StartSession } from './session/start.ts';
import { connectionFacts } from './ssh/connection.ts';
import { checkSsh2 } from './ssh/ssh2-check.ts';
import { isNativeCryptoAvailable } from './ssh/ssh2.ts';
import { checkSandbox } from './storage/self-check.ts';
import { isProcessAlive, ownProcess } from './storage/process-identity.ts';
import { orphanBytes, sweepStagingArea } from './storage/staging-area.ts';
import { localGeneration } from './supervisor/local-generation.ts';
import { OwnershipRelay } from './supervisor/ownership-relay.ts';
import type { Generation } from './supervisor/serving.ts';
import { startSupervisor, type Candidate, type Reloaded } from './supervisor/supervisor.ts';
import { startWorkerPool } from './supervisor/worker-pool.ts';

/** Next to this module, in the sources and in `dist/` alike. */
const workerProgram = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js',
  import.meta.url,
);

export interface RunningServer {
  /** Where it listens, with the ports that were found for those configured as 0. */
  readonly addresses: readonly ListenAddress[];
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
}

/** Starts everything, or nothing: rejects with an Error whose message is for the operator. */
export async function startServer(
  config: Config,
  log: Logger,
  options: StartOptions = {},
): Promise<RunningServer> {
  checkSandbox();
  await checkSsh2();
  const journal = await openJournal(config, log);
  let catalog: Catalog | undefined;
  try {
    journal.append(configRecord(config));
    catalog = await startCatalog(config, log);
    const stored = { journal, catalog };
    const beginner = new Beginner(stored, log, options);
    const events = auditSshEvents(journal, log);
    const supervisor = await startSupervisor({
      config,
      log,
      begin: (next) => beginner.begin(next),
      refused: (socket: Socket, reason) =>
        events.connectionRefused({ connection: connectionFacts(socket), reason }),
    });
    const sweep = async (swept: Config): Promise<() => Promise<void>> => {
      const found = { ...stored, roots: await catalogRoots(swept) };
      const stops = [sweepVersions(swept, found, log), sweepPartialUploads(swept, found, log)];
      return async () => void (await Promise.all(stops.map((stop) => stop())));
    };
    let stopSweeping = await sweep(config);
    const { addresses } = supervisor;
    log.info({ addresses, workers: config.workers, nativeCrypto: isNativeCryptoAvailable() }, 'listening');
    const shownPath = options.shownPath ?? config.path;
    return {
      addresses,
      reload: async () => {
        const reloaded = await supervisor.reload((current) => candidate(shownPath, current));
        tellReload(reloaded, { config: supervisor.config, journal, log });
        if (reloaded.kind === 'done') {
          await stopSweeping();
          stopSweeping = await sweep(supervisor.config);
        }
        return reloaded;
      },
      stop: async () => {
        await supervisor.stop();
        await stopSweeping();
        await beginner.settled();
        await closeStored(catalog, journal);
      },
    };
  } catch (error) {
    await closeStored(catalog, journal).catch((failure: unknown) => log.error({ err: failure }, 'closing'));
    throw error;
  }
}

/** Starts those who serve, in this process or in others, and clears away what they leave when they die. */
class Beginner {
  readonly #stored: Pick<Stored, 'journal' | 'catalog'>;
  readonly #log: Logger;
  readonly #options: StartOptions;
  readonly #ownership = new Ownership();
  readonly #relay = new OwnershipRelay();
  #clearing: Promise<void> = Promise.resolve();

  constructor(stored: Pick<Stored, 'journal' | 'catalog'>, log: Logger, options: StartOptions) {
    this.#stored = stored;
    this.#log = log;
    this.#options = options;
  }

  async begin(config: Config): Promise<Generation> {
    const { journal, catalog } = this.#stored;
    const { around } = this.#options;
    const log = this.#log;
    await recoverCatalog(catalog, config, log);
    // Not before: of what a crash has left, the catalog knows what can be kept.
    sweepRoots(config, log);
    if (config.workers === 0 || around !== undefined) {
      const shared = { journal, catalog, ownership: this.#ownership, log };
      return localGeneration(await createServing(config, { ...shared, ...(around && { around }) }));
    }
    return await startWorkerPool({
      config,
      services: { program: workerProgram, journal, ownership: this.#relay, measure: () => undefined },
      log,
      onDied: (pid, how) => this.#clear(config, { pid, how }),
    });
  }

  /** Resolves when nothing is being cleared away any more. */
  async settled(): Promise<void> {
    await this.#clearing;
  }

  #clear(config: Config, { pid, how }: { readonly pid: number; readonly how: string }): void {
    const { journal } = this.#stored;
    journal.append(
      serverRecord({ operation: 'worker', outcome: 'failed', path: `${pid}: ${how}`, error: 'INTERRUPTED' }),
    );
    journal.abandon(String(pid), orphansOf(config, this.#log));
    this.#clearing = this.#clearing.then(async () => {
      try {
        await recoverCatalog(this.#stored.catalog, config, this.#log);
        sweepRoots(config, this.#log);
      } catch (error) {
        this.#log.error(
          { err: error },
          'what a worker left could not be cleared away; the next start does it',
        );
      }
    });
  }
}

/** Reads the configuration as at a start, and looks for what a running server can't change. */
async function candidate(path: string, current: Config): Promise<Candidate> {
  try {
    const config = await loadConfig(path);
    const problems = await lockedChanges(path, current, config);
    if (problems.length > 0) return { kind: 'unsound', problems };
    return { kind: 'sound', config, changes: configDifferences(current, config) };
  } catch (error) {
    if (error instanceof ConfigError) return { kind: 'unsound', problems: error.problems };
    throw error;
  }
}

function tellReload(
  reloaded: Reloaded,
  { config, journal, log }: { readonly config: Config; readonly journal: FileJournal; readonly log: Logger },
): void {
  if (reloaded.kind === 'done') {
    log.info({ changes: reloaded.changes }, 'reloaded');
    journal.append(configRecord(config));
  } else {
    log.error({ problems: reloaded.problems }, 'not reloaded; everything stays as it was');
    const { path } = config;
    journal.append(serverRecord({ operation: 'config', outcome: 'refused', path, error: 'CONFIG_REJECTED' }));
  }
}

/** The journal holds records that must be written whatever becomes of the catalog. */
async function closeStored(catalog: Catalog | undefined, journal: FileJournal): Promise<void> {
  try {
    await catalog?.close();
  } finally {
    await journal.close();
  }
}

async function openJournal(config: Config, log: Logger): Promise<FileJournal> {
  const { dir: directory, onFailure, fileBytesMax, fileMsMax, keep } = config.audit;
  try {
    return await openFileJournal({
      directory,
      sync: config.durability === 'full',
      onFailure,
      fileBytesMax,
      fileMsMax,
      keep,
      processes: { own: ownProcess, isAlive: isProcessAlive },
      log,
      bytesOf: orphansOf(config, log),
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`cannot open the audit journal in ${directory}: ${reason}`, { cause: error });
  }
}

function rootsOf(config: Config): Set<string> {
  return new Set(config.users.map(({ user }) => user.root));
}

/** How much had come of uploads whose process is gone. */
function orphansOf(config: Config, log: Logger): (upload: string) => number | undefined {
  const left = new Map<string, number>();
  for (const root of rootsOf(config)) {
    try {
      for (const [upload, bytes] of orphanBytes(root)) left.set(upload, bytes);
    } catch (error) {
      log.warn({ err: error, root }, 'what a crash left can not be looked at'); // nor can it be swept: that says more
    }
  }
  return (upload) => left.get(upload);
}

/** Which rules hold from now on: the hash tells one configuration from another. */
function configRecord({ path, sha256 }: Config): AuditRecord {
  return serverRecord({ operation: 'config', outcome: 'done', path, sha256 });
}

/** Removes what a crash left half received. */
function sweepRoots(config: Config, log: Logger): void {
  for (const root of rootsOf(config)) {
    const orphans = sweepStagingArea(root);
    if (orphans > 0) log.warn({ root, orphans }, 'removed uploads that a crash had left unfinished');
  }
}
