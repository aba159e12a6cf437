/**
 * A real server to which something happens, everything that was sent to it, and what must be true afterwards whatever
 * happened: every file is whole, nothing is left over, and quota, catalog and journal tell what is on the disk.
 */
import type { Test } from 'tap';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { AuditRecord } from '../../../src/audit/record.ts';
import { openCatalog } from '../../../src/catalog/catalog.ts';
import { openDiskStore } from '../../../src/storage/disk-store.ts';
import { processes } from '../catalog.ts';
import { recordsIn } from '../journal.ts';
import { runCli, type CliResult } from '../cli.ts';
import type { Finished } from '../clients.ts';
import { startServerOf, TestServer, type ServerOptions } from '../server.ts';
import { HostFaults } from './shim.ts';
import { ways, type Way } from './ways.ts';

/** How long a server may take to let go of what an ended connection had. */
const settleMsMax = 10_000;

/** `demo` has a quota, `free` has none, `box` has a drop-box: the three need different things of a host. */
export const users = {
  demo: { quota: { bytes: '1GiB', files: 10_000 } },
  free: {},
  box: { preset: 'drop-box', quota: { bytes: '1GiB', files: 10_000 } },
} as const;
export type UserName = keyof typeof users;

export class FaultServer extends TestServer {
  readonly faults: HostFaults;

  constructor(place: string, faults: HostFaults) {
    super(place);
    this.faults = faults;
  }

  protected override get environment(): Readonly<Record<string, string>> {
    return this.faults.environment;
  }

  /** Told once, when all is set up and nothing runs yet. */
  prepare: ((server: FaultServer) => Promise<void>) | undefined;

  override async start(): Promise<void> {
    rmSync(this.stored('hello.txt'), { force: true }); // of "scpd init": nobody has sent it
    await this.prepare?.(this);
    this.prepare = undefined;
    await super.start();
  }
}

/** Something that was sent, and whether its client was told that it had arrived. */
export interface Attempt {
  readonly user: UserName;
  readonly path: string;
  readonly sha256: string;
  readonly protocol: Way['protocol'];
  acknowledged: boolean;
}

/** What stands under a name. `half` is everything that nobody has sent as it is. */
export type Standing = 'old' | 'new' | 'half';

export class FaultSite {
  readonly server: FaultServer;
  readonly #attempts: Attempt[] = [];
  readonly #files: string;
  #descriptorsBefore = 0;
  #sent = 0;

  constructor(server: FaultServer, files: string) {
    this.server = server;
    this.#files = files;
  }

  get faults(): HostFaults {
    return this.server.faults;
  }

  get catalogFile(): string {
    const file = join(this.server.place, 'var', 'catalog.db');
    return existsSync(file) ? file : join(this.server.place, 'var', 'known', 'catalog.db');
  }

  /** A file of random content; a name of its own, or one in a directory of its own. */
  content(sizeBytes: number, name?: string): { readonly file: string; readonly sha256: string } {
    this.#sent += 1;
    const directory = name === undefined ? this.#files : mkdtempSync(join(this.#files, 'sent-'));
    const file = join(directory, name ?? `sent-${this.#sent}`);
    const bytes = randomBytes(sizeBytes);
    writeFileSync(file, bytes);
    return { file, sha256: createHash('sha256').update(bytes).digest('hex') };
  }

  note(attempt: Attempt): Attempt {
    this.#attempts.push(attempt);
    return attempt;
  }

  /** Sends new content and remembers that. */
  async put(
    way: Way,
    path: string,
    { sizeBytes = 400_000, user = 'demo' }: { sizeBytes?: number; user?: UserName } = {},
  ): Promise<Finished & { readonly sha256: string }> {
    const { file, sha256 } = this.content(sizeBytes);
    const attempt = this.note({ user, path, sha256, protocol: way.protocol, acknowledged: false });
    const finished = await way.put(this.server, file, path, user);
    attempt.acknowledged = finished.status === 0;
    rmSync(file);
    return { ...finished, sha256 };
  }

  wasSent(sha256: string): boolean {
    return this.#attempts.some((attempt) => attempt.sha256 === sha256);
  }

  /** The content under a name now; undefined for nothing. */
  stored(path: string, user: UserName = 'demo'): string | undefined {
    const file = this.server.stored(path, user);
    return existsSync(file) ? createHash('sha256').update(readFileSync(file)).digest('hex') : undefined;
  }

  /** Is it what it was, what came, or neither? */
  standing(path: string, facts: { before: string | undefined; came: string; user?: UserName }): Standing {
    const now = this.stored(path, facts.user);
    return now === facts.came ? 'new' : now === facts.before ? 'old' : 'half';
  }

  /** The records of uploads that were done, as they ended. */
  uploads(): readonly AuditRecord[] {
    // A clock that jumps ahead lets the journal begin a new file.
    return recordsIn(join(this.server.place, 'var', 'audit')).filter(
      (one) => one.operation === 'upload' && one.outcome === 'done' && one.phase === 'end',
    );
  }

  /** Open files of the server and of its processes. */
  descriptors(): number {
    return processTree(this.server.pid).reduce((sum, pid) => sum + descriptorsOf(pid), 0);
  }

  /** To be called once it has served each way and is at rest: from here on the number of descriptors may not grow. */
  async settleDown(): Promise<void> {
    let [before, now] = [-1, this.descriptors()];
    for (let waitedMs = 0; waitedMs < settleMsMax && before !== now; waitedMs += 300) {
      await pause(300);
      [before, now] = [now, this.descriptors()];
    }
    this.#descriptorsBefore = now;
  }

  /** Descriptors above those at rest, once connections had the time to end. */
  async leaked(): Promise<number> {
    for (let waitedMs = 0; waitedMs < settleMsMax; waitedMs += 50) {
      if (this.descriptors() <= this.#descriptorsBefore) return 0;
      await pause(50);
    }
    return this.descriptors() - this.#descriptorsBefore;
  }

  async #staged(): Promise<readonly string[]> {
    const left = (): string[] => Object.keys(users).flatMap((user) => this.server.staged(user));
    for (let waitedMs = 0; waitedMs < settleMsMax && left().length > 0; waitedMs += 50) await pause(50);
    return left();
  }

  /** Everything that must be true after a fault. Cheap enough to be asked after each. */
  async checkWhole(t: Test, words: string): Promise<{ readonly leaked: number }> {
    const [staged, leaked] = [await this.#staged(), await this.leaked()];
    t.strictSame(staged, [], `${words}: nothing staged is left`);
    t.equal(leaked, 0, `${words}: descriptors`);
    this.#checkJournal(t, words);
    await this.#checkCatalog(t, words);
    return { leaked: leaked + staged.length };
  }

  /**
   * The same as its operator sees it, and that every way works. To be asked at the end.
   * @param unhashed users for whom files were stored while the catalog could not be written: their hashes are in the
   *   journal, and nowhere else until "scpd verify --rebuild"
   */
  async checkServes(t: Test, { unhashed = [] }: { unhashed?: readonly UserName[] } = {}): Promise<void> {
    for (const way of ways) {
      const path = `served-by-${way.name.replaceAll(' ', '-')}`;
      const sent = await this.put(way, path);
      t.equal(sent.status, 0, `${way.name} works: ${sent.stderr}`);
      t.equal(this.stored(path), sent.sha256);
    }
    await this.checkWhole(t, 'in the end');
    t.match(await this.verify('--usage'), { exitCode: 0, stdout: /all as counted/ });
    const verified = await this.verify('--json');
    const findings = verified.stdout
      .split('\n')
      .filter((line) => line.startsWith('{"root"'))
      .map((line) => JSON.parse(line) as { kind: string; path: string; users: [UserName] });
    const wrong = findings.filter(({ kind, path, users: [user] }) => {
      if (kind !== 'unknown') return true;
      // What was killed between the disk and the catalog was never acknowledged: nobody has promised its hash.
      return !unhashed.includes(user) && this.#isAcknowledged(path.slice(1), user);
    });
    t.strictSame(wrong, [], 'scpd verify');
  }

  /** Lets the catalog learn what the host has changed behind the server's back. */
  async recount(): Promise<void> {
    const { stderr } = await this.verify('--usage');
    if (stderr !== '') throw new Error(stderr);
  }

  async verify(...words: string[]): Promise<CliResult> {
    const config = join(this.server.place, 'config', 'scpd.json');
    return await runCli(['verify', ...words, '--config', config], this.server.place);
  }

  #isAcknowledged(path: string, user: UserName): boolean {
    const now = this.stored(path, user);
    return this.#attempts.some(
      (one) => one.user === user && one.path === path && one.sha256 === now && one.acknowledged,
    );
  }

  /** Each acknowledged success is in the journal, and no success is there of something that was not sent. */
  #checkJournal(t: Test, words: string): void {
    const done = this.uploads().map(
      (record) => `${record.user}:${record.path} ${record.sha256} ${record.verdict}`,
    );
    const count = (list: readonly string[]): Map<string, number> => {
      const counts = new Map<string, number>();
      for (const one of list) counts.set(one, (counts.get(one) ?? 0) + 1);
      return counts;
    };
    const line = ({ user, path, sha256, protocol }: Attempt): string =>
      `${user}:/${path} ${sha256} ${protocol === 'SCP' ? 'verified' : 'closed'}`;
    const recorded = count(done);
    const attempted = count(this.#attempts.map(line));
    const told = count(this.#attempts.filter(({ acknowledged }) => acknowledged).map(line));
    const missing = [...told].filter(([one, times]) => (recorded.get(one) ?? 0) < times);
    t.strictSame(missing, [], `${words}: every success that was told is in the journal`);
    const invented = [...recorded].filter(([one, times]) => (attempted.get(one) ?? 0) < times);
    t.strictSame(invented, [], `${words}: every success in the journal was sent`);
  }

  /** What is known is what is on the disk: names, sizes, hashes, sums; and nothing is claimed any more. */
  async #checkCatalog(t: Test, words: string): Promise<void> {
    const catalog = await openCatalog({ file: this.catalogFile, damaged: 'refuse', processes });
    try {
      for (const user of Object.keys(users) as UserName[]) {
        const hostPath = realpathSync(this.server.stored('.', user));
        const root = { hostPath, users: [user] };
        // What could not be noted at once is noted soon; an upload that may be gone on with keeps its claim.
        const unexplained = async (): Promise<readonly [number, number]> => {
          const { reservedBytes, reservedFiles } = await catalog.usage(user);
          const waiting = await catalog.partials.of(root);
          const waitingBytes = waiting.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
          return [reservedBytes - waitingBytes, reservedFiles - waiting.length];
        };
        const isExplained = async (): Promise<boolean> => (await unexplained()).every((one) => one === 0);
        for (let waitedMs = 0; waitedMs < settleMsMax && !(await isExplained()); waitedMs += 200)
          await pause(200);
        t.strictSame(await unexplained(), [0, 0], `${words}: nothing is claimed for ${user}`);
        for await (const { path, kind, sha256 } of catalog.entries(root, '/' as never)) {
          if (kind === 'file' && sha256 !== null)
            t.equal(this.stored(path, user), sha256, `${words}: ${path}`);
        }
        const store = openDiskStore(hostPath, 'none');
        const { added, corrected, removed } = await catalog.survey(root, store);
        store.close();
        t.strictSame(
          [added, corrected, removed],
          [0, 0, 0],
          `${words}: the catalog knows the disk of ${user}`,
        );
      }
      t.strictSame(await catalog.recount(), [], `${words}: the sums are right`);
    } finally {
      await catalog.close();
    }
  }
}

/** A server on a host that fails on demand; it has served each way once. */
export async function startFaultSite(
  t: Test,
  options: ServerOptions = {},
  prepare?: FaultServer['prepare'],
): Promise<FaultSite> {
  const files = mkdtempSync(join(tmpdir(), 'scpd-faults-'));
  t.teardown(() => rmSync(files, { recursive: true, force: true }));
  const faults = await HostFaults.make(files);
  const make = (place: string): FaultServer => {
    const made = new FaultServer(place, faults);
    made.prepare = prepare;
    return made;
  };
  const server = await startServerOf(t, make, { users, ...options });
  const site = new FaultSite(server, files);
  for (const way of ways) {
    const { status, stderr } = await site.put(way, `first-${way.name.replaceAll(' ', '-')}`);
    if (status !== 0) throw new Error(`${way.name}: ${stderr}`);
  }
  await site.settleDown();
  return site;
}

function processTree(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean);
    return [pid, ...children.flatMap((child) => processTree(Number(child)))];
  } catch {
    return []; // it has ended
  }
}

function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}
