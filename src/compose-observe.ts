/** Those who watch a running server: its status, its metrics, whether it is ready. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { JournalCopies } from './audit/copies.ts';
import { ObservedJournal } from './audit/observed-journal.ts';
import type { SharedJournal } from './audit/record.ts';
import type { Catalog } from './catalog/catalog.ts';
import { version } from './cli/run.ts';
import type { Config } from './config/config.ts';
import { catalogPagePauseMs, statusRowsMax } from './limits.ts';
import { openHealth, type HealthServer } from './observe/health.ts';
import { Metrics, type Snapshot } from './observe/metrics.ts';
import { LastUploads, type ServerStatus, type UserStatus } from './observe/status.ts';
import { diskHealth, type DiskHealth } from './storage/disk-health.ts';
import type { Supervisor } from './supervisor/supervisor.ts';

interface Watched {
  readonly journal: SharedJournal;
  readonly catalog: Catalog;
  readonly copies: JournalCopies;
  readonly log: Logger;
}

export class Observers {
  readonly metrics = new Metrics();
  /** The journal, by which every record passes here. */
  readonly journal: ObservedJournal;
  readonly #catalog: Catalog;
  readonly #log: Logger;
  readonly #copies: JournalCopies;
  readonly #lastUploads = new LastUploads();
  readonly #delay = monitorEventLoopDelay({ resolution: 20 });
  readonly #began = performance.now();
  #health: HealthServer | undefined;
  #isClosed = false;

  constructor({ journal, catalog, copies, log }: Watched) {
    this.#catalog = catalog;
    this.#log = log;
    this.#copies = copies;
    this.journal = new ObservedJournal(journal, (record) => {
      this.metrics.record(record);
      this.#lastUploads.record(record);
    });
    this.#delay.enable();
  }

  /** Reads what was there before, and opens the health port, if there is to be one. */
  async start(supervisor: Supervisor): Promise<void> {
    await this.#recall(supervisor.config);
    await this.listen(supervisor);
  }

  /**
   * What was uploaded before. The newest files are looked at at once, and older ones while the server serves, for as long as there
   * is a user who has any and was not met.
   */
  async #recall({ users }: Config): Promise<void> {
    const wanted = new Set<string>();
    for (const { user } of users) if ((await this.#catalog.usage(user.name)).files > 0) wanted.add(user.name);
    const pages = this.#catalog.lastUploads()[Symbol.asyncIterator]();
    const goOn = async (): Promise<boolean> => {
      if (wanted.size === 0 || this.#isClosed) return false;
      const { value, done } = await pages.next();
      if (done === true) return false;
      for (const { user, ...upload } of value) {
        wanted.delete(user);
        this.#lastUploads.know(user, upload);
      }
      return true;
    };
    const rest = async (): Promise<void> => {
      while (await goOn()) await pause(catalogPagePauseMs);
    };
    if (await goOn())
      void rest().catch((error: unknown) => this.#log.warn({ err: error }, 'earlier uploads are not known'));
  }

  /** Opens the health port of the configuration, and closes the one before. If it can't be had, that one stays. */
  async listen(supervisor: Supervisor): Promise<void> {
    const { health } = supervisor.config;
    const before = this.#health;
    if (health !== undefined && before !== undefined && isSame(health, before.address)) return;
    this.#health =
      health &&
      (await openHealth(health, {
        problems: () => this.problems(supervisor),
        metrics: async () => {
          const text = await this.metrics.text(await this.#snapshot(supervisor));
          return { contentType: this.metrics.contentType, text };
        },
        log: this.#log,
      }));
    before?.close();
    if (this.#health !== undefined) this.#log.info(this.#health.address, 'health is told');
  }

  /** Closes the health port, for another process to have it. `listen` opens it again. */
  release(): void {
    this.#health?.close();
    this.#health = undefined;
  }

  close(): void {
    this.#isClosed = true;
    this.release();
    this.#delay.disable();
  }

  async status(supervisor: Supervisor): Promise<ServerStatus> {
    const { config, addresses, isStopping } = supervisor;
    const { workers, connections, transfers } = await supervisor.status();
    return {
      version: version(),
      pid: process.pid,
      state: isStopping ? 'stopping' : 'serving',
      upMs: Math.round(performance.now() - this.#began),
      config: config.path,
      addresses,
      health: this.#health?.address ?? null,
      problems: await this.problems(supervisor),
      workers,
      connections: connections.slice(0, statusRowsMax),
      transfers: transfers.slice(0, statusRowsMax),
      users: await this.#users(supervisor),
    };
  }

  /** What is in the way of serving. */
  async problems(supervisor: Supervisor): Promise<string[]> {
    const { config } = supervisor;
    const problems: string[] = [];
    if (supervisor.isStopping) problems.push('stopping');
    try {
      this.journal.ensureWritable();
    } catch {
      problems.push(`the audit journal in ${config.audit.dir} can not be written`);
    }
    await this.#catalog
      .checkWritable()
      .catch(() => problems.push(`the catalog ${config.catalog.file} can not be written`));
    for (const { root, problem, freeBytes } of await disksOf(config)) {
      if (problem !== undefined) problems.push(`${root} can not be written (${problem})`);
      else if (freeBytes < config.freeBytesMin) problems.push(`${root} has less free than freeSpaceMin`);
    }
    const { workers } = await supervisor.status();
    if (!workers.some(({ state }) => state === 'serving')) problems.push('no worker serves');
    return problems;
  }

  async #users({ config, front }: Supervisor): Promise<UserStatus[]> {
    const connections = front.admission.users;
    return await Promise.all(
      config.users.map(async ({ user: { name, quota = {} } }) => ({
        name,
        connections: connections.get(name) ?? 0,
        lastUpload: this.#lastUploads.of(name),
        usage: await this.#catalog.usage(name),
        quota,
      })),
    );
  }

  async #snapshot(supervisor: Supervisor): Promise<Snapshot> {
    const { workers, connections, transfers } = await supervisor.status();
    const states = { starting: 0, serving: 0, silent: 0, retiring: 0 };
    for (const { state } of workers) states[state] += 1;
    const ownLagMs = this.#delay.max / 1e6;
    this.#delay.reset();
    return {
      ...supervisor.front.admission.counts,
      sessions: connections.reduce((sum, { sessions }) => sum + sessions, 0),
      uploads: transfers.filter(({ operation }) => operation === 'upload').length,
      downloads: transfers.filter(({ operation }) => operation === 'download').length,
      workers: states,
      workerMemoryBytes: Math.max(0, ...workers.map(({ memoryBytes }) => memoryBytes)),
      loopLagSeconds: {
        supervisor: ownLagMs / 1000,
        workers: Math.max(0, ...workers.map(({ loopLagMs }) => loopLagMs)) / 1000,
      },
      recordsWaiting: workers.reduce((sum, { recordsWaiting }) => sum + recordsWaiting, 0),
      copiesLost: this.#copies.lost,
      auditLagSeconds: this.journal.lagMs / 1000,
      ready: (await this.problems(supervisor)).length === 0,
      disks: await disksOf(supervisor.config),
      users: (await this.#users(supervisor)).map(({ name, usage, quota, lastUpload }) => ({
        name,
        ...usage,
        bytesMax: quota.bytesMax,
        lastUploadSeconds: lastUpload === null ? null : Date.parse(lastUpload.time) / 1000,
      })),
    };
  }
}

async function disksOf({ users }: Config): Promise<DiskHealth[]> {
  return await Promise.all([...new Set(users.map(({ user }) => user.root))].map(diskHealth));
}

function isSame(one: { host: string; port: number }, other: { host: string; port: number }): boolean {
  return one.host === other.host && one.port === other.port;
}
