/**
 * What the queries stand on: a Kysely inside a transaction and the one thing a query builder is too slow
 * for. One implementation a database (`sqlite-database.ts`); queries never learn which one it is.
 */
import type { CompiledQuery, Kysely } from 'kysely';
import type { Tables } from './tables.ts';

/**
 * `read`: one consistent view. `durable`: on disk when it resolves, also after a power loss. `relaxed`:
 * survives the death of the process, but a power loss may take the last moments (trail, usage).
 */
export type TransactionMode = 'read' | 'durable' | 'relaxed';

export interface Transaction {
  readonly query: Kysely<Tables>;
  /** Runs one statement once per row of parameters, in order, without building it again. */
  readonly runMany: (
    statement: CompiledQuery,
    rows: readonly (readonly unknown[])[],
  ) => Promise<void>;
}

export interface Database {
  /** Runs `work` in a transaction; one follows the other. A throw rolls back and is passed on. */
  transact<T>(mode: TransactionMode, work: (transaction: Transaction) => Promise<T>): Promise<T>;
  /** Copies the whole database into `file`, which exists and is empty, while work goes on. */
  copyTo(file: string): Promise<void>;
  /** After what was asked. */
  close(): Promise<void>;
}
