/**
 * One step of the schema. A step that was released is never edited; a change is a new step. It runs
 * inside the transaction that also records its number. Where the databases differ in spelling, the step
 * asks `SchemaDialect`.
 */
import type { CreateTableBuilder, Kysely, RawBuilder } from 'kysely';
import type { Tables } from '../tables.ts';

/** The few words in which the databases' schema languages differ. */
export interface SchemaDialect {
  readonly bytes: 'blob' | 'bytea';
  /** The integer type of a primary key that we number ourselves. */
  readonly rowId: 'integer' | 'bigint';
  /** Adds an integer primary key that only grows and is never used twice. */
  withSequence<T extends string, C extends string>(
    table: CreateTableBuilder<T, C>,
    column: C,
  ): CreateTableBuilder<T, C>;
  /** Stores the rows in the primary key itself, where the database can. */
  readonly clustered: RawBuilder<unknown>;
}

export interface Migration {
  readonly version: number;
  up(database: Kysely<Tables>, dialect: SchemaDialect): Promise<void>;
}
