/**
 * What is counted, in one registry for the whole server: workers send what they count to the supervisor, so a worker that
 * ends takes no sum with it. Labels have few values, all known beforehand: words of ours, and users of the configuration.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { AuditRecord } from '../audit/record.ts';
import type { Measure } from '../supervisor/messages.ts';

const secondsBuckets = [0.01, 0.05, 0.2, 1, 5, 20, 60, 300, 1800, 7200];
const bytesBuckets = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11];

/** What workers count by name; anything else that they might send is dropped. */
const counters = {
  handshakes: ['Key exchanges that were completed, first ones only.', []],
  logins: ['Logins by what became of them.', ['result']],
  connections_closed: ['Connections that have ended, by why.', ['reason']],
  connections_refused: ['Connections that were not let in, by the cap that they met.', ['reason']],
  reloads: ['Reloads by what became of them.', ['result']],
  worker_deaths: ['Workers that ended in another way than they should.', []],
} as const satisfies Record<string, readonly [string, readonly string[]]>;
type CounterName = keyof typeof counters;

/** What is so at the time of asking. */
export interface Snapshot {
  readonly connections: number;
  readonly unauthenticated: number;
  readonly sessions: number;
  readonly uploads: number;
  readonly downloads: number;
  readonly workers: Readonly<Record<string, number>>;
  readonly workerMemoryBytes: number;
  readonly loopLagSeconds: { readonly supervisor: number; readonly workers: number };
  readonly recordsWaiting: number;
  readonly auditLagSeconds: number;
  readonly copiesLost: readonly { readonly copy: string; readonly lost: number }[];
  readonly ready: boolean;
  readonly disks: readonly {
    readonly root: string;
    readonly freeBytes: number;
    readonly totalBytes: number;
  }[];
  readonly users: readonly {
    readonly name: string;
    readonly bytes: number;
    readonly files: number;
    readonly reservedBytes: number;
    readonly bytesMax: number | undefined;
    /** Null: none since the catalog was made. */
    readonly lastUploadSeconds: number | null;
  }[];
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<string, Counter>();
  readonly #transfers = this.#counter('transfers_total', 'Transfers that have ended, by how.', [
    'protocol',
    'direction',
    'verdict',
  ]);
  readonly #bytes = this.#counter('transfer_bytes_total', 'Bytes of files that came or went.', [
    'protocol',
    'direction',
  ]);
  readonly #seconds = this.#histogram('transfer_seconds', 'How long transfers took.', secondsBuckets);
  readonly #sizes = this.#histogram('transfer_size_bytes', 'How large transfers were.', bytesBuckets);
  readonly #gauges = new Map<string, Gauge>();

  constructor() {
    for (const [name, [help, labels]] of Object.entries(counters))
      this.#counters.set(name, this.#counter(`${name}_total`, help, labels));
  }

  /** One more of something. */
  count(name: CounterName, labels: Readonly<Record<string, string>> = {}, value = 1): void {
    this.#counters.get(name)?.inc(labels, value);
  }

  /** The same from a worker. */
  measure({ name, labels, value }: Measure): void {
    this.#counters.get(name)?.inc(labels, value);
  }

  /** Every record that goes to the journal comes by here. */
  record({ operation, phase, protocol, outcome, verdict, bytes = 0, durationMs = 0 }: AuditRecord): void {
    if (phase === 'begin' || (operation !== 'upload' && operation !== 'download')) return;
    const labels = { protocol, direction: operation === 'upload' ? 'up' : 'down' };
    this.#transfers.inc({ ...labels, verdict: verdict ?? outcome });
    this.#bytes.inc(labels, bytes);
    this.#seconds.observe(labels, durationMs / 1000);
    this.#sizes.observe(labels, bytes);
  }

  /** The text that Prometheus reads. */
  async text(now: Snapshot): Promise<string> {
    this.#set('connections', 'Connections that are open.', [[{}, now.connections]]);
    this.#set('connections_unauthenticated', 'Of these, not logged in yet.', [[{}, now.unauthenticated]]);
    this.#set('sessions', 'Programs that run for clients.', [[{}, now.sessions]]);
    this.#set('transfers_open', 'Transfers under way.', [
      [{ direction: 'up' }, now.uploads],
      [{ direction: 'down' }, now.downloads],
    ]);
    this.#set(
      'workers',
      'Workers by state.',
      Object.entries(now.workers).map(([state, count]) => [{ state }, count]),
    );
    this.#set('worker_memory_bytes', 'Memory of the largest worker.', [[{}, now.workerMemoryBytes]]);
    this.#set('event_loop_lag_seconds', 'The longest wait of an event loop lately.', [
      [{ process: 'supervisor' }, now.loopLagSeconds.supervisor],
      [{ process: 'worker' }, now.loopLagSeconds.workers],
    ]);
    this.#set('audit_records_waiting', 'Records of workers that are not on disk yet.', [
      [{}, now.recordsWaiting],
    ]);
    this.#set(
      'audit_copy_lost',
      'Records, or heads, of which no copy could be sent since the start.',
      now.copiesLost.map(({ copy, lost }) => [{ copy }, lost]),
    );
    this.#set('audit_lag_seconds', 'How long the last group of records took to the disk.', [
      [{}, now.auditLagSeconds],
    ]);
    this.#set('ready', '1 if transfers can be served: what /readyz says.', [[{}, now.ready ? 1 : 0]]);
    this.#setDisks(now);
    this.#setUsers(now);
    return await this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #setDisks({ disks }: Snapshot): void {
    this.#set(
      'disk_free_bytes',
      'Free on the file system of a root.',
      disks.map(({ root, freeBytes }) => [{ root }, freeBytes]),
    );
    this.#set(
      'disk_size_bytes',
      'Size of the file system of a root.',
      disks.map(({ root, totalBytes }) => [{ root }, totalBytes]),
    );
  }

  #setUsers({ users }: Snapshot): void {
    this.#set(
      'user_stored_bytes',
      'What a user has stored.',
      users.map(({ name, bytes }) => [{ user: name }, bytes]),
    );
    this.#set(
      'user_stored_files',
      'How many entries a user has stored.',
      users.map(({ name, files }) => [{ user: name }, files]),
    );
    this.#set(
      'user_reserved_bytes',
      'What uploads under way may add.',
      users.map(({ name, reservedBytes }) => [{ user: name }, reservedBytes]),
    );
    this.#set(
      'user_quota_bytes',
      'What a user may store.',
      users.flatMap(({ name, bytesMax }) =>
        bytesMax === undefined ? [] : [[{ user: name }, bytesMax] as const],
      ),
    );
    this.#set(
      'user_last_upload_timestamp_seconds',
      'When a user’s last good upload ended.',
      users.flatMap(({ name, lastUploadSeconds }) =>
        lastUploadSeconds === null ? [] : [[{ user: name }, lastUploadSeconds] as const],
      ),
    );
  }

  /** Sets a gauge to these values and no others: a user who is gone is shown no more. */
  #set(
    name: string,
    help: string,
    values: readonly (readonly [Readonly<Record<string, string>>, number])[],
  ): void {
    const labelNames = Object.keys(values[0]?.[0] ?? {});
    let gauge = this.#gauges.get(name);
    if (gauge === undefined) {
      if (values.length === 0) return;
      gauge = new Gauge({ name: `scpd_${name}`, help, labelNames, registers: [this.#registry] });
      this.#gauges.set(name, gauge);
    }
    gauge.reset();
    for (const [labels, value] of values) gauge.set(labels, value);
  }

  #counter(name: string, help: string, labelNames: readonly string[]): Counter {
    return new Counter({
      name: `scpd_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
    });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    const labelNames = ['protocol', 'direction'];
    return new Histogram({ name: `scpd_${name}`, help, labelNames, buckets, registers: [this.#registry] });
  }
}
