/**
 * Brings a database to the schema this program speaks: forward only, each step in one transaction with
 * the row that records it. A newer database is refused, never written to (StartError).
 */
import type { Kysely } from 'kysely';
import { StartError } from '../kernel/errors.ts';
import { first } from './migrations/0001-first.ts';
import { groups } from './migrations/0002-groups.ts';
import { oldestUsableVersion } from './migrations/0003-oldest-usable-version.ts';
import { activity } from './migrations/0004-activity.ts';
import { wouldRefuse } from './migrations/0006-would-refuse.ts';
import { versionUse } from './migrations/0007-version-use.ts';
import { sandboxLimits } from './migrations/0008-sandbox-limits.ts';
import { webhooksAndChain } from './migrations/0009-webhooks-and-chain.ts';
import { upstreamHttpVersion } from './migrations/0010-upstream-http-version.ts';
import type { Migration, SchemaDialect } from './migrations/migration.ts';
import type { Tables } from './tables.ts';

/** Ascending by version; a number may be left out. */
const MIGRATIONS: readonly Migration[] = [
  first,
  groups,
  oldestUsableVersion,
  activity,
  wouldRefuse,
  versionUse,
  sandboxLimits,
  webhooksAndChain,
  upstreamHttpVersion,
];

/** The schema version this program reads and writes. */
export const SCHEMA_VERSION = MIGRATIONS.at(-1)?.version ?? 0;

/** `name` is what the refusal calls the database: a file or a URL without its password. */
export async function migrate(
  database: Kysely<Tables>,
  dialect: SchemaDialect,
  name: string,
  nowMs: number,
): Promise<void> {
  await database.schema
    .createTable('schema_version')
    .ifNotExists()
    .addColumn('version', 'integer', (column) => column.primaryKey())
    .addColumn('applied_at_ms', 'bigint', (column) => column.notNull())
    .execute();
  const found = await readVersion(database);
  if (found > SCHEMA_VERSION) {
    throw new StartError(
      `The database ${name} has schema version ${found}, this program knows up to ${SCHEMA_VERSION}: it was written by a newer Sallyport.`,
      'Start the newer version again, or restore a backup made before the upgrade. Nothing was changed.',
    );
  }
  for (const migration of MIGRATIONS) {
    if (migration.version <= found) continue;
    await database.transaction().execute(async (transaction) => {
      await migration.up(transaction, dialect);
      await transaction
        .insertInto('schema_version')
        .values({ version: migration.version, applied_at_ms: nowMs })
        .execute();
    });
  }
}

async function readVersion(database: Kysely<Tables>): Promise<number> {
  const row = await database
    .selectFrom('schema_version')
    .select((expression) => expression.fn.max('version').as('version'))
    .executeTakeFirst();
  return row?.version ?? 0;
}
