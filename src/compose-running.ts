/**
 * A running server's life after its start: a reload, a hand-over to another process, the end. What is done in which order is
 * said here; how, in the parts.
 */
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { MovableJournal } from './audit/movable-journal.ts';
import { serverRecord } from './audit/record.ts';
import { auditSshEvents } from './audit/ssh-audit.ts';
import type { Catalog } from './catalog/catalog.ts';
import { version } from './cli/run.ts';
import { catalogRoots } from './compose-catalog.ts';
import { Beginner } from './compose-generations.ts';
import {
  configRecord,
  configureCopies,
  configureReceipts,
  openJournal,
  type Followers,
} from './compose-journal.ts';
import { Observers } from './compose-observe.ts';
import { sweepPartialUploads } from './compose-resume.ts';
import { sweepVersions } from './compose-versions.ts';
import type { RunningServer, StartOptions } from './compose.ts';
import type { Config, ListenAddress } from './config/config.ts';
import { ConfigError } from './config/config-error.ts';
import { configDifferences } from './config/diff.ts';
import { loadConfig } from './config/load.ts';
import { lockedChanges } from './config/locked.ts';
import { auditCopyHandOverMs, handOverDepthMax } from './limits.ts';
import { connectionFacts } from './ssh/connection-facts.ts';
import { openControl, type ControlHandler, type ControlServer } from './supervisor/control.ts';
import { handOver, type HandedOver } from './supervisor/hand-over.ts';
import { handOverProtocol, type HandedState } from './supervisor/hand-over-messages.ts';
import type { Predecessor } from './supervisor/predecessor.ts';
import { startSupervisor, type Candidate, type Reloaded, type Supervisor } from './supervisor/supervisor.ts';

/** What there is before anybody is served. */
export interface Opened extends Followers {
  readonly journal: MovableJournal;
  readonly catalog: Catalog;
  readonly log: Logger;
  readonly options: StartOptions;
}

/** What `scpd restart` is answered. */
export type Restarted =
  | { readonly kind: 'done'; readonly pid: number }
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

/** Starts who serves, and lets clients in. */
export async function startRunning(config: Config, opened: Opened): Promise<RunningServer> {
  const { log, options } = opened;
  const { predecessor } = options;
  const observers = new Observers(opened);
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
    ...(predecessor && { inherited: predecessor.offer.listeners }),
  });
  const running = new Running(opened, { observers, beginner, supervisor });
  if (predecessor === undefined) await running.start();
  else await running.takeOver(predecessor);
  const { addresses } = supervisor;
  log.info({ addresses, workers: config.workers }, 'listening');
  return running;
}

interface Parts {
  readonly observers: Observers;
  readonly beginner: Beginner;
  readonly supervisor: Supervisor;
}

class Running implements RunningServer {
  readonly stopAsked: Promise<void>;
  readonly handedOver: Promise<{ readonly pid: number }>;
  readonly #opened: Opened;
  readonly #parts: Parts;
  readonly #askStop: () => void;
  readonly #tellStopped: () => void;
  readonly #stopped: Promise<void>;
  readonly #tellHandedOver: (to: { readonly pid: number }) => void;
  /** How many supervisors before this one may still have workers. */
  #depth = 0;
  /** Of those that this process has as a mere relay. */
  #relayed: Promise<void> | undefined;
  #control: ControlServer | undefined;
  #stopSweeping: () => Promise<void> = () => Promise.resolve();

  constructor(opened: Opened, parts: Parts) {
    this.#opened = opened;
    this.#parts = parts;
    [this.stopAsked, this.#askStop] = deferred<void>();
    [this.#stopped, this.#tellStopped] = deferred<void>();
    [this.handedOver, this.#tellHandedOver] = deferred<{ readonly pid: number }>();
  }

  get addresses(): readonly ListenAddress[] {
    return this.#parts.supervisor.addresses;
  }

  /** Or rejects, and nothing is left. */
  async start(): Promise<void> {
    try {
      await this.#open();
    } catch (error) {
      await this.#parts.supervisor.stop();
      await this.#close();
      throw error;
    }
  }

  /** Gets everything from another process, which goes on with it if anything fails here. */
  async takeOver(predecessor: Predecessor): Promise<void> {
    const { journal, copies } = this.#opened;
    const { supervisor, beginner } = this.#parts;
    const { config } = supervisor;
    const state = await predecessor.ready();
    try {
      journal.take(await openJournal(config, this.#opened, new Map(state.open)));
      journal.append(configRecord(config));
      const { admission } = supervisor.front;
      await supervisor.takeOver(await beginner.inherit(config, state, { predecessor, admission }));
      await this.#open();
    } catch (error) {
      // What it has written is copied; who goes on after it begins behind that.
      await journal.release().catch(() => undefined);
      await copies.settled(auditCopyHandOverMs);
      // Ends this process: with what it has, anything else would end the other's workers.
      await predecessor.giveBack([error instanceof Error ? error.message : String(error)]);
    }
    this.#depth = predecessor.offer.depth;
    void predecessor.gone.then(() => (this.#depth = 0));
    predecessor.done((socket) => supervisor.front.admit(socket));
    supervisor.open();
  }

  async reload(): Promise<Reloaded> {
    const { journal, log, options } = this.#opened;
    const { supervisor, observers } = this.#parts;
    const reloaded = await supervisor.reload((current) =>
      candidate(options.shownPath ?? current.path, current),
    );
    observers.metrics.count('reloads', { result: reloaded.kind });
    this.#tellReload(reloaded);
    if (reloaded.kind === 'done') {
      configureReceipts(supervisor.config, this.#opened);
      // The record of the reload comes first, so that who gets no more copies can see why.
      await journal.settled().catch(() => undefined);
      configureCopies(supervisor.config, this.#opened);
      await this.#stopSweeping();
      await this.#sweep();
      await observers.listen(supervisor).catch((error: unknown) => log.error({ err: error }, 'health'));
    }
    return reloaded;
  }

  /** Has this program, as it is on the disk now, take over. Never rejects. */
  async restart(): Promise<Restarted> {
    const { log } = this.#opened;
    const problem = this.#restartProblem;
    const handed = problem === undefined ? await this.#handOver() : refused(problem);
    if (handed.kind === 'refused') {
      log.error({ problems: handed.problems }, 'not restarted; everything stays as it was');
      return handed;
    }
    const { pid } = handed;
    log.info({ pid }, 'another process serves now; this one ends with its last connection');
    this.#relayed = handed.ended;
    this.#tellHandedOver({ pid });
    return { kind: 'done', pid };
  }

  async stop(): Promise<void> {
    const { supervisor, beginner } = this.#parts;
    await supervisor.stop();
    await this.#relayed;
    await this.#close(async () => {
      await beginner.settled();
      await closeStored(this.#opened);
      await this.#opened.copies.close();
      this.#tellStopped();
      await new Promise((resolve) => setImmediate(resolve)); // whoever asked for the end hears of it
    });
  }

  /** Whatever watches and commands the server, and the jobs of each hour. */
  async #open(): Promise<void> {
    await this.#sweep();
    await this.#parts.observers.start(this.#parts.supervisor);
    await this.#openControl();
  }

  async #close(before: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    this.#parts.observers.close();
    await this.#stopSweeping();
    await before();
    this.#control?.close();
  }

  async #openControl(): Promise<void> {
    const { supervisor } = this.#parts;
    const handle = this.#handle.bind(this);
    this.#control = await openControl(supervisor.config.control.socket, handle, this.#opened.log);
  }

  /** What the control socket is asked, and who answers. */
  async #handle(request: Parameters<ControlHandler>[0]): Promise<object> {
    const { observers, supervisor } = this.#parts;
    switch (request.command) {
      case 'status':
        return await observers.status(supervisor);
      case 'reload':
        return await this.reload();
      case 'restart':
        return await this.restart();
      case 'kill': {
        const { connections } = await supervisor.status();
        const ended = connections.some(({ id }) => id === request.connection);
        if (ended) supervisor.endConnection(request.connection);
        return { ended };
      }
      case 'stop':
        this.#askStop();
        await this.#stopped;
    }
    return { stopped: true };
  }

  get #restartProblem(): string | undefined {
    if (process.pid === 1)
      return 'this process is the first of its container, which would end with it; replace the container';
    return this.#depth < handOverDepthMax
      ? undefined
      : `${this.#depth} earlier processes still have connections; try again when some have ended`;
  }

  async #handOver(): Promise<HandedOver> {
    const { log, journal, copies } = this.#opened;
    const { supervisor, beginner, observers } = this.#parts;
    const { audit, catalog, control, durability } = supervisor.config;
    const locked = { audit, catalog, control, durability };
    let open: HandedState['open'] = [];
    return await supervisor.handOver((pools) =>
      handOver({
        offer: { protocol: handOverProtocol, version: version(), locked, depth: this.#depth + 1 },
        front: supervisor.front,
        pools,
        isStopping: () => supervisor.isStopping,
        ownership: beginner.relay,
        release: async () => {
          await this.#stopSweeping();
          await beginner.settled();
          observers.release();
          ({ open } = journal);
          this.#control?.release();
          await journal.release();
          await copies.settled(auditCopyHandOverMs);
        },
        retake: async () => {
          journal.take(await openJournal(supervisor.config, this.#opened, new Map(open)));
          await this.#sweep();
          await observers.listen(supervisor);
          await this.#openControl();
        },
        open: () => open,
        log,
      }),
    );
  }

  /** Begins the jobs of each hour. */
  async #sweep(): Promise<void> {
    const { journal, catalog, log } = this.#opened;
    const { config } = this.#parts.supervisor;
    const found = { journal, catalog, roots: await catalogRoots(config) };
    const stops = [sweepVersions(config, found, log), sweepPartialUploads(config, found, log)];
    this.#stopSweeping = async () => void (await Promise.all(stops.map((stop) => stop())));
  }

  #tellReload(reloaded: Reloaded): void {
    const { journal, log } = this.#opened;
    const { config } = this.#parts.supervisor;
    if (reloaded.kind === 'done') {
      log.info({ changes: reloaded.changes }, 'reloaded');
      journal.append(configRecord(config));
    } else {
      log.error({ problems: reloaded.problems }, 'not reloaded; everything stays as it was');
      const { path } = config;
      journal.append(
        serverRecord({ operation: 'config', outcome: 'refused', path, error: 'CONFIG_REJECTED' }),
      );
    }
  }
}

function refused(problem: string): HandedOver {
  return { kind: 'refused', problems: [problem] };
}

function deferred<T>(): [Promise<T>, (value: T) => void] {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => (resolve = done));
  return [promise, resolve];
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

/** The journal holds records that must be written whatever becomes of the catalog. */
export async function closeStored({
  catalog,
  journal,
}: {
  readonly catalog: Catalog | undefined;
  readonly journal: MovableJournal;
}): Promise<void> {
  try {
    await catalog?.close();
  } finally {
    await journal.close();
  }
}
