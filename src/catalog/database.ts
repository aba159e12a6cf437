/**
 * The database file: SQLite in WAL mode behind a query builder. Several processes may have it open.
 *
 * Every statement runs on the main thread, some 20 µs each, so transactions are short, and the writes of one turn of the
 * event loop share one. `synchronous=NORMAL`: a commit survives the end of the process, not always a power cut; what a
 * power cut took is found again on the disk (`survey.ts`). A transaction that writes begins IMMEDIATE, because one
 * that had read first could not wait for its turn. While another process has its turn, SQLite would hold up the whole
 * event loop: it is told to give up at once, and is asked again by a timer.
 */
import { closeSync, constants, mkdirSync, openSync, renameSync, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Libsql from 'libsql';
import { catalogBlockMsMax, catalogBusyMsMax } from '../limits.ts';
import { Connection, readerOf, Statements, Turn } from './connection.ts';
import { migrate } from './migrations.ts';
import type { Reader, Writer } from './tables.ts';

/** The database can't be used. `message` is for the operator. */
export class CatalogError extends Error {
  override readonly name = 'CatalogError';
}

export interface DatabaseOptions {
  /** Host path of the file. */
  readonly file: string;
  /**
   * What to do with a file that is damaged: set it aside and begin a new one, or refuse. `checked`: refuse, and don't look for
   * damage, because the supervisor of this process has looked; it takes half a second for each million of entries.
   */
  readonly damaged: 'replace' | 'refuse' | 'checked';
}

/** `existing`: as it was left. `new`: there was none. `replaced`: it was damaged, and stands aside as `keptAs`. */
export type Beginning =
  | { readonly kind: 'existing' }
  | { readonly kind: 'new' }
  | { readonly kind: 'replaced'; readonly keptAs: string; readonly cause: unknown };

/** A write that waits for its transaction. */
interface Waiting {
  readonly act: (writer: Writer) => Promise<void>;
  /** Whether it has its transaction for itself. */
  readonly alone: boolean;
  readonly done: () => void;
  readonly fail: (error: unknown) => void;
}

/** Opens the file, making it (0600) and its directory (0700) if need be. Throws `CatalogError`. */
export async function openDatabase(
  options: DatabaseOptions,
): Promise<{ readonly database: Database; readonly beginning: Beginning }> {
  const { file, damaged } = options;
  const isChecked = damaged === 'checked';
  const isNew = !existsSync(file);
  try {
    return { database: await openFile(file, isChecked), beginning: { kind: isNew ? 'new' : 'existing' } };
  } catch (error) {
    if (!isDamage(error))
      throw new CatalogError(`cannot open the catalog ${file}: ${words(error)}`, { cause: error });
    if (damaged !== 'replace') {
      throw new CatalogError(
        `the catalog ${file} is damaged (${words(error)}); "scpd serve" sets it aside and begins a new one`,
        { cause: error },
      );
    }
    const keptAs = setAside(file);
    return {
      database: await openFile(file, isChecked),
      beginning: { kind: 'replaced', keptAs, cause: error },
    };
  }
}

async function openFile(file: string, isChecked: boolean): Promise<Database> {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  makeFile(file);
  const native = new Libsql(file);
  try {
    native.pragma(`busy_timeout = ${catalogBusyMsMax}`);
    native.pragma('journal_mode = WAL');
    native.pragma('synchronous = NORMAL');
    if (!isChecked) quickCheck(native);
    const database = new Database(native);
    await database.write(migrate);
    native.pragma(`busy_timeout = ${catalogBlockMsMax}`);
    return database;
  } catch (error) {
    native.close();
    throw error;
  }
}

function quickCheck(native: Libsql.Database): void {
  const [found] = native.prepare('pragma quick_check(1)').all() as { readonly quick_check: string }[];
  if (found?.quick_check !== 'ok') throw new DamageError(found?.quick_check ?? 'the check failed');
}

/**
 * Makes the file if there is none: SQLite gives its -wal and -shm files the mode of this one. One that is there is never
 * opened here, because closing it would drop the locks of whatever in this process has it open in SQLite (POSIX locks
 * belong to the process), and without them another process takes itself for the last one and removes the log.
 */
function makeFile(file: string): void {
  if (existsSync(file)) return;
  try {
    closeSync(openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error; // another one was quicker
  }
}

export class Database {
  readonly read: Reader;
  readonly #statements: Statements;
  readonly #writer: Writer;
  /** Whoever reads, and the transaction under way. */
  readonly #turn = new Turn();
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  constructor(native: InstanceType<typeof Libsql>) {
    this.#statements = new Statements(native);
    this.#writer = new Connection(this.#statements);
    this.read = readerOf(this.#statements, this.#turn);
  }

  /** Looks something up by queries that are prepared, between transactions. */
  async look<T>(act: (reader: Writer) => T): Promise<T> {
    await this.#turn.take();
    try {
      return act(this.#writer);
    } finally {
      this.#turn.give();
    }
  }

  /**
   * Runs `act` in a transaction, together with others that wait. It must wait for nothing but its own statements, and
   * must bear being run twice: the transaction of a group in which one fails is rolled back, and each runs again alone.
   */
  async write<T>(act: (writer: Writer) => Promise<T>): Promise<T> {
    return await this.#enqueue(act, false);
  }

  /** The same, but in a transaction of its own: what `act` does is done once at most, also if the commit fails. */
  async writeAlone<T>(act: (writer: Writer) => Promise<T>): Promise<T> {
    return await this.#enqueue(act, true);
  }

  /** Waits for what is being written. Does not fail. */
  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    await this.look(() => this.#statements.close());
  }

  async #enqueue<T>(act: (writer: Writer) => Promise<T>, alone: boolean): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      let result: T;
      const once = async (writer: Writer): Promise<void> => {
        result = await act(writer);
      };
      this.#waiting.push({ act: once, alone, done: () => resolve(result), fail: reject });
      this.#writing ??= this.#writeGroups();
    });
  }

  async #writeGroups(): Promise<void> {
    while (this.#waiting.length > 0) {
      await new Promise((resolve) => setImmediate(resolve)); // lets the rest of this turn join
      const firstAlone = this.#waiting.findIndex(({ alone }) => alone);
      const length = firstAlone === -1 ? this.#waiting.length : Math.max(firstAlone, 1);
      const group = this.#waiting.splice(0, length);
      try {
        await this.#transaction(group);
      } catch (error) {
        if (group.length === 1) group[0]?.fail(error);
        else await this.#oneByOne(group);
      }
    }
    this.#writing = undefined;
  }

  async #oneByOne(group: readonly Waiting[]): Promise<void> {
    for (const one of group) {
      try {
        await this.#transaction([one]);
      } catch (error) {
        one.fail(error);
      }
    }
  }

  async #transaction(group: readonly Waiting[]): Promise<void> {
    await this.#begin();
    try {
      for (const { act } of group) await act(this.#writer);
      this.#statements.run('commit');
    } catch (error) {
      if (this.#statements.isInTransaction) this.#statements.run('rollback');
      throw error;
    } finally {
      this.#turn.give();
    }
    for (const { done } of group) done();
  }

  /** Takes the turn, of this process and of all. Throws what SQLite says if another process keeps it for too long. */
  async #begin(): Promise<void> {
    const deadlineMs = performance.now() + catalogBusyMsMax;
    for (let tried = 1; ; tried += 1) {
      await this.#turn.take();
      try {
        this.#statements.run('begin immediate');
        return;
      } catch (error) {
        this.#turn.give(); // others may read meanwhile
        if (!codeIn(error).startsWith('SQLITE_BUSY') || performance.now() >= deadlineMs) throw error;
      }
      await pause(1 + Math.random() * Math.min(tried * 2, 25)); // by chance, so that processes do not keep step
    }
  }
}

class DamageError extends Error {
  override readonly name = 'DamageError';
}

function isDamage(error: unknown): boolean {
  if (error instanceof DamageError) return true;
  return /^SQLITE_(CORRUPT|NOTADB)/u.test(codeIn(error));
}

function codeIn(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function setAside(file: string): string {
  const keptAs = `${file}.damaged-${new Date().toISOString().replaceAll(/[:.]/gu, '-')}`;
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(`${file}${suffix}`)) renameSync(`${file}${suffix}`, `${keptAs}${suffix}`);
  }
  return keptAs;
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
