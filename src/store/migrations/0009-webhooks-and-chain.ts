/**
 * Webhooks and what is to be delivered to them; when a secret was used first; the hash chain of the trail
 * and where it begins and ends, for each organization and class of rows; an index that answers searches.
 */
import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import type { Tables } from '../tables.ts';
import type { Migration, SchemaDialect } from './migration.ts';

type Schema = Kysely<Tables>['schema'];

export const webhooksAndChain: Migration = {
  version: 9,
  async up(database, dialect) {
    const { schema } = database;
    await createWebhooks(schema, dialect);
    await createDeliveries(schema, dialect);
    await schema.alterTable('secrets').addColumn('first_used_at_ms', 'bigint').execute();
    // What was used before nobody was told about: it is not news any more.
    await sql`update secrets set first_used_at_ms = last_used_at_ms`.execute(database);
    await createChain(schema, dialect);
    await widenNewest(schema);
  },
};

/** A search that finds little reads the index and not the rows. */
async function widenNewest(schema: Schema): Promise<void> {
  await schema.dropIndex('secrets_newest').execute();
  await schema
    .createIndex('secrets_newest')
    .on('secrets')
    .columns(['organization_id', 'created_at_ms', 'seq', 'search_text'])
    .where(sql.ref('deleted_at_ms'), 'is', null)
    .execute();
}

async function createWebhooks(schema: Schema, dialect: SchemaDialect): Promise<void> {
  await dialect
    .withSequence(schema.createTable('webhooks'), 'seq')
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('organization_id', 'text', (column) =>
      column.notNull().references('organizations.id').onDelete('cascade'),
    )
    .addColumn('url', 'text', (column) => column.notNull())
    .addColumn('description', 'text')
    .addColumn('events', 'text', (column) => column.notNull())
    .addColumn('signing_secret', dialect.bytes, (column) => column.notNull())
    .addColumn('disabled', 'integer', (column) => column.notNull())
    .addColumn('disabled_reason', 'text')
    .addColumn('failing_since_ms', 'bigint')
    .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('created_by', 'text', (column) => column.notNull())
    .addColumn('revision', 'integer', (column) => column.notNull())
    .execute();
  await schema
    .createIndex('webhooks_by_organization')
    .on('webhooks')
    .columns(['organization_id', 'seq'])
    .execute();
}

async function createDeliveries(schema: Schema, dialect: SchemaDialect): Promise<void> {
  await dialect
    .withSequence(schema.createTable('webhook_deliveries'), 'seq')
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('organization_id', 'text', (column) => column.notNull())
    .addColumn('webhook_id', 'text', (column) =>
      column.notNull().references('webhooks.id').onDelete('cascade'),
    )
    .addColumn('event', 'text', (column) => column.notNull())
    .addColumn('payload', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('next_attempt_at_ms', 'bigint')
    .addColumn('last_status', 'integer')
    .addColumn('last_error', 'text')
    .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('settled_at_ms', 'bigint')
    .execute();
  await schema
    .createIndex('webhook_deliveries_due')
    .on('webhook_deliveries')
    .column('next_attempt_at_ms')
    .where(sql.ref('next_attempt_at_ms'), 'is not', null)
    .execute();
  await schema
    .createIndex('webhook_deliveries_by_webhook')
    .on('webhook_deliveries')
    .columns(['webhook_id', 'seq'])
    .execute();
}

async function createChain(schema: Schema, dialect: SchemaDialect): Promise<void> {
  await schema.alterTable('audit_events').addColumn('chain_hash', dialect.bytes).execute();
  // Costs nothing while there is no chain.
  await schema
    .createIndex('audit_events_chained')
    .on('audit_events')
    .columns(['organization_id', 'important', 'id'])
    .where(sql.ref('chain_hash'), 'is not', null)
    .execute();
  await schema
    .createTable('audit_chains')
    .addColumn('organization_id', 'text', (column) => column.notNull())
    .addColumn('important', 'integer', (column) => column.notNull())
    .addColumn('start_id', 'bigint', (column) => column.notNull())
    .addColumn('has_older', 'integer', (column) => column.notNull())
    .addColumn('anchor_id', 'bigint', (column) => column.notNull())
    .addColumn('anchor_hash', dialect.bytes, (column) => column.notNull())
    .addColumn('last_id', 'bigint', (column) => column.notNull())
    .addColumn('last_hash', dialect.bytes, (column) => column.notNull())
    .addPrimaryKeyConstraint('audit_chains_key', ['organization_id', 'important'])
    .modifyEnd(dialect.clustered)
    .execute();
}
