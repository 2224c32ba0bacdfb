/**
 * `Database` on SQLite: one connection, one transaction at a time, statements prepared once. Kysely builds
 * and runs the queries; `runMany` goes to the driver itself. Only ever used on the store's worker thread,
 * because better-sqlite3 blocks.
 */
import type SqliteFile from 'better-sqlite3';
import { CompiledQuery, Kysely, SqliteDialect, SqliteDriver, sql } from 'kysely';
import type {
  DatabaseConnection,
  SqliteDialectConfig,
  SqliteStatement,
  TransactionSettings,
} from 'kysely';
import { BoundedMap } from '../kernel/bounded-map.ts';
import type { Database, Transaction, TransactionMode } from './database.ts';
import type { SchemaDialect } from './migrations/migration.ts';
import type { Tables } from './tables.ts';

/** Distinct statements kept prepared; there are about a hundred. */
const STATEMENTS_MAX = 400;
/** Pages copied before other work gets its turn. */
const BACKUP_PAGES_PER_TURN = 200;

export const sqliteSchema: SchemaDialect = {
  bytes: 'blob',
  rowId: 'integer',
  withSequence: (table, column) =>
    table.addColumn(column, 'integer', (definition) => definition.primaryKey().autoIncrement()),
  clustered: sql`without rowid`,
};

export class SqliteDatabase implements Database {
  readonly kysely: Kysely<Tables>;
  readonly #file: SqliteFile.Database;
  readonly #statements = new BoundedMap<string, SqliteFile.Statement>(STATEMENTS_MAX);
  #last: Promise<unknown> = Promise.resolve();

  readonly #onClosed: () => void;

  /** Takes over `file`, opened and configured by `open-sqlite.ts`. */
  constructor(file: SqliteFile.Database, onClosed: () => void) {
    this.#file = file;
    this.#onClosed = onClosed;
    const source = {
      prepare: (text: string): SqliteStatement => this.#prepare(text),
      close: () => file.close(),
    };
    this.kysely = new Kysely<Tables>({ dialect: new OneWriterDialect({ database: source }) });
  }

  transact<T>(mode: TransactionMode, work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => this.#transact(mode, work));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async copyTo(file: string): Promise<void> {
    await this.#file.backup(file, { progress: () => BACKUP_PAGES_PER_TURN });
  }

  async close(): Promise<void> {
    await this.#last;
    // No `optimize`: statistics of a small table mislead the planner when it has grown.
    this.#file.pragma('wal_checkpoint(TRUNCATE)');
    await this.kysely.destroy();
    // Kysely closes only what it has used.
    if (this.#file.open) this.#file.close();
    this.#onClosed();
  }

  async #transact<T>(
    mode: TransactionMode,
    work: (transaction: Transaction) => Promise<T>,
  ): Promise<T> {
    if (mode === 'relaxed') this.#file.pragma('synchronous = NORMAL');
    try {
      return await this.kysely
        .transaction()
        .setAccessMode(mode === 'read' ? 'read only' : 'read write')
        .execute((query) => work({ query, runMany: this.#runMany }));
    } finally {
      if (mode === 'relaxed') this.#file.pragma('synchronous = FULL');
    }
  }

  // oxlint-disable-next-line typescript/require-await -- the contract is asynchronous for other databases
  readonly #runMany = async (
    statement: CompiledQuery,
    rows: readonly (readonly unknown[])[],
  ): Promise<void> => {
    const prepared = this.#prepare(statement.sql);
    for (const row of rows) prepared.run(row);
  };

  #prepare(text: string): SqliteFile.Statement {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    const statement = this.#file.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }
}

/** A write takes the lock when it begins: taken later it could fail half-way when somebody else wrote. */
class OneWriterDriver extends SqliteDriver {
  override async beginTransaction(
    connection: DatabaseConnection,
    settings?: TransactionSettings,
  ): Promise<void> {
    const text = settings?.accessMode === 'read only' ? 'begin' : 'begin immediate';
    await connection.executeQuery(CompiledQuery.raw(text));
  }
}

class OneWriterDialect extends SqliteDialect {
  readonly #config: SqliteDialectConfig;

  constructor(config: SqliteDialectConfig) {
    super(config);
    this.#config = config;
  }

  override createDriver(): SqliteDriver {
    return new OneWriterDriver(this.#config);
  }
}
