/**
 * One connection to the database file, in two ways: a query builder, and at once, for queries whose text is made once
 * (`prepared.ts`). Both run the same statements, on the main thread, some 5 µs each; the builder takes ten times that.
 */
import type { DatabaseConnection, Driver, SqliteDatabase, SqliteDialectConfig } from 'kysely';
import type Libsql from 'libsql';
import { Kysely, SqliteDialect, SqliteDriver } from './kysely.ts';
import type { Reader, Tables } from './tables.ts';

type Native = InstanceType<typeof Libsql>;
type Statement = ReturnType<SqliteDatabase['prepare']> & Pick<ReturnType<Native['prepare']>, 'get'>;

/**
 * Keeps what was prepared: the query builder prepares anew for each query. A statement of which all rows are wanted is another
 * one than that of which the first is, though the text be the same: after `all`, libsql's `get` still has the old values.
 */
export class Statements implements SqliteDatabase {
  readonly #native: Native;
  readonly #prepared = new Map<string, Statement>();
  readonly #preparedForFirst = new Map<string, Statement>();

  constructor(native: Native) {
    this.#native = native;
  }

  /** Runs a statement. Answers its rows, if it has any. Throws what SQLite says. */
  run(text: string, parameters: readonly unknown[] = []): unknown[] {
    const statement = this.prepare(text);
    if (statement.reader) return statement.all(parameters);
    statement.run(parameters);
    return [];
  }

  /**
   * The first row, which takes half of what all rows take. The driver adds a `_metadata` to it. A statement that failed is
   * prepared anew: libsql's `get` would run it with the values that failed once more, whatever it is given.
   */
  first(text: string, parameters: readonly unknown[]): unknown {
    try {
      return this.#prepare(text, this.#preparedForFirst).get(parameters);
    } catch (error) {
      this.#preparedForFirst.delete(text);
      throw error;
    }
  }

  prepare(text: string): Statement {
    return this.#prepare(text, this.#prepared);
  }

  get isInTransaction(): boolean {
    return this.#native.inTransaction;
  }

  close(): void {
    this.#prepared.clear();
    this.#preparedForFirst.clear();
    this.#native.pragma('wal_checkpoint(PASSIVE)'); // so that the file alone is all, as far as no other process is in the way
    this.#native.close();
  }

  #prepare(text: string, kept: Map<string, Statement>): Statement {
    const known = kept.get(text);
    if (known !== undefined) return known;
    const statement = withKnownKind(this.#native.prepare(text));
    if (kept.size < preparedMax) kept.set(text, statement);
    return statement;
  }
}

/** Who may use the connection: one at a time. */
export class Turn {
  #isTaken = false;
  readonly #waiting: (() => void)[] = [];

  /** Resolves when it is the caller's, who gives it back. At once if it is free. */
  async take(): Promise<void> {
    if (this.#isTaken) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#isTaken = true;
  }

  give(): void {
    this.#isTaken = this.#waiting.length > 0;
    this.#waiting.shift()?.();
  }
}

/** What a transaction is made with. */
export class Connection extends Kysely<Tables> {
  readonly statements: Statements;

  constructor(statements: Statements) {
    super({ dialect: new SqliteDialect({ database: statements }) });
    this.statements = statements;
  }
}

/** A query builder whose queries wait for their turn: what a transaction has not committed yet they don't see. */
export function readerOf(statements: Statements, turn: Turn): Reader {
  return new Kysely<Tables>({ dialect: new WaitingDialect({ database: statements }, turn) });
}

class WaitingDialect extends SqliteDialect {
  readonly #config: SqliteDialectConfig;
  readonly #turn: Turn;

  constructor(config: SqliteDialectConfig, turn: Turn) {
    super(config);
    this.#config = config;
    this.#turn = turn;
  }

  override createDriver(): Driver {
    return new WaitingDriver(this.#config, this.#turn);
  }
}

class WaitingDriver extends SqliteDriver {
  readonly #turn: Turn;

  constructor(config: SqliteDialectConfig, turn: Turn) {
    super(config);
    this.#turn = turn;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    await this.#turn.take();
    return await super.acquireConnection();
  }

  override async releaseConnection(): Promise<void> {
    await super.releaseConnection();
    this.#turn.give();
  }
}

/** Whether a statement answers rows is asked each time it runs, and the answer takes a trip into native code. */
function withKnownKind(statement: Statement): Statement {
  const { reader } = statement;
  return Object.defineProperty(statement, 'reader', { value: reader });
}

/** More texts than there are in this program; those with lists of values of any length are not worth keeping. */
const preparedMax = 200;
