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
import { Observers } from './compose-observe.ts';
import { sweepVersions } from './compose-versions.ts';
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
import { openControl, type ControlHandler, type ControlServer } from './supervisor/control.ts';
import { localGeneration } from './supervisor/local-generation.ts';
import type { Measure } from './supervisor/messages.ts';
import { OwnershipRelay } from './supervisor/ownership-relay.ts';
import type { Generation } from './supervisor/serving.ts';
import { startSupervisor, type Candidate, type Reloaded, type Supervisor } from './supervisor/supervisor.ts';
import { startWorkerPool } from './supervisor/worker-pool.ts';

/** Next to this module, in the sources and in `dist/` alike. */
const workerProgram = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js',
  import.meta.url,
);

export interface RunningServer {
  /** Where it listens, with the ports that were found for those configured as 0. */
  readonly addresses: readonly ListenAddress[];
  /** Resolves when somebody asks for its end by the control socket. */
  readonly stopAsked: Promise<void>;
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
    return await startServing(config, { journal, catalog, log, options });
  } catch (error) {
    await closeStored(catalog, journal).catch((failure: unknown) => log.error({ err: failure }, 'closing'));
    throw error;
  }
}

interface Opened {
  readonly journal: FileJournal;
  readonly catalog: Catalog;
  readonly log: Logger;
  readonly options: StartOptions;
}

async function startServing(config: Config, opened: Opened): Promise<RunningServer> {
  const { journal, catalog, log, options } = opened;
  const observers = new Observers(journal, catalog, log);
  const beginner = new Beginner(opened, observers);
  const events = auditSshEvents(observers.journal, log);
  const supervisor = await startSupervisor({
    config,
    log,
    begin: (next) => beginner.begin(next),
    refused: (socket: Socket, reason) => {
      observers.metrics.count('connections_refused', { reason });
      events.connectionRefused({ connection: connectionFacts(socket), reason });
    },
  });
  let stopSweeping = await startSweeping(config, opened);
  const reload = async (): Promise<Reloaded> => {
    const reloaded = await supervisor.reload((current) =>
      candidate(options.shownPath ?? config.path, current),
    );
    observers.metrics.count('reloads', { result: reloaded.kind });
    tellReload(reloaded, { config: supervisor.config, journal, log });
    if (reloaded.kind === 'done') {
      await stopSweeping();
      stopSweeping = await startSweeping(supervisor.config, opened);
      await observers.listen(supervisor).catch((error: unknown) => log.error({ err: error }, 'health'));
    }
    return reloaded;
  };
  const end = deferred();
  const ended = deferred();
  let control: ControlServer;
  try {
    await observers.start(supervisor);
    const handle = controlHandler({
      observers,
      supervisor,
      reload,
      stop: () => {
        end.resolve();
        return ended.promise;
      },
    });
    control = await openControl(config.control.socket, handle, log);
  } catch (error) {
    await supervisor.stop();
    observers.close();
    await stopSweeping();
    throw error;
  }
  const { addresses } = supervisor;
  log.info({ addresses, workers: config.workers, nativeCrypto: isNativeCryptoAvailable() }, 'listening');
  return {
    addresses,
    stopAsked: end.promise,
    reload,
    stop: async () => {
      await supervisor.stop();
      observers.close();
      await stopSweeping();
      await beginner.settled();
      await closeStored(catalog, journal);
      ended.resolve();
      await new Promise((resolve) => setImmediate(resolve)); // whoever asked for the end hears of it
      control.close();
    },
  };
}

/** The jobs of each hour. Answers what stops them. */
async function startSweeping(
  config: Config,
  { journal, catalog, log }: Opened,
): Promise<() => Promise<void>> {
  const found = { journal, catalog, roots: await catalogRoots(config) };
  const stops = [sweepVersions(config, found, log), sweepPartialUploads(config, found, log)];
  return async () => void (await Promise.all(stops.map((stop) => stop())));
}

/** What the control socket is asked, and who answers. */
function controlHandler(server: {
  readonly observers: Observers;
  readonly supervisor: Supervisor;
  readonly reload: () => Promise<Reloaded>;
  readonly stop: () => Promise<void>;
}): ControlHandler {
  const { observers, supervisor } = server;
  return async (request) => {
    if (request.command === 'status') return await observers.status(supervisor);
    if (request.command === 'reload') return await server.reload();
    if (request.command === 'kill') {
      const { connections } = await supervisor.status();
      const ended = connections.some(({ id }) => id === request.connection);
      if (ended) supervisor.endConnection(request.connection);
      return { ended };
    }
    await server.stop();
    return { stopped: true };
  };
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

/** Starts those who serve, in this process or in others, and clears away what they leave when they die. */
class Beginner {
  readonly #opened: Opened;
  readonly #observers: Observers;
  readonly #ownership = new Ownership();
  readonly #relay = new OwnershipRelay();
  #clearing: Promise<void> = Promise.resolve();

  constructor(opened: Opened, observers: Observers) {
    this.#opened = opened;
    this.#observers = observers;
  }

  async begin(config: Config): Promise<Generation> {
    const { catalog, log, options } = this.#opened;
    const { journal, metrics } = this.#observers;
    const { around } = options;
    const measure = (measured: Measure): void => metrics.measure(measured);
    await recoverCatalog(catalog, config, log);
    // Not before: of what a crash has left, the catalog knows what can be kept.
    sweepRoots(config, log);
    if (config.workers === 0 || around !== undefined) {
      const shared = { journal, catalog, ownership: this.#ownership, log, measure };
      return localGeneration(await createServing(config, { ...shared, ...(around && { around }) }));
    }
    return await startWorkerPool({
      config,
      services: { program: workerProgram, journal, ownership: this.#relay, measure },
      log,
      onDied: (pid, how) => {
        metrics.count('worker_deaths');
        this.#clear(config, { pid, how });
      },
    });
  }

  /** Resolves when nothing is being cleared away any more. */
  async settled(): Promise<void> {
    await this.#clearing;
  }

  #clear(config: Config, { pid, how }: { readonly pid: number; readonly how: string }): void {
    const { journal, catalog, log } = this.#opened;
    journal.append(
      serverRecord({ operation: 'worker', outcome: 'failed', path: `${pid}: ${how}`, error: 'INTERRUPTED' }),
    );
    journal.abandon(String(pid), orphansOf(config, log));
    this.#clearing = this.#clearing.then(async () => {
      try {
        await recoverCatalog(catalog, config, log);
        sweepRoots(config, log);
      } catch (error) {
        log.error({ err: error }, 'what a worker left could not be cleared away; the next start does it');
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
