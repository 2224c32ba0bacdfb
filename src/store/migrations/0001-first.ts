/**
 * The first schema. Tenancy is in the keys: rows point at each other by (organization, id), so the
 * database itself refuses a row that crosses organizations. Audit rows point at nothing: they outlive
 * what they tell about.
 */
import { sql } from 'kysely';
import type { Migration } from './migration.ts';

export const first: Migration = {
  version: 1,
  async up(database, dialect) {
    const { schema } = database;
    await schema
      .createTable('instance_items')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('content', dialect.bytes, (column) => column.notNull())
      .execute();
    await createOrganizations(schema, dialect);
    await createSecrets(schema, dialect);
    await createSandboxes(schema, dialect);
    await createAudit(schema, dialect);
  },
};

type Schema = Parameters<Migration['up']>[0]['schema'];
type Dialect = Parameters<Migration['up']>[1];

async function createOrganizations(schema: Schema, dialect: Dialect): Promise<void> {
  await schema
    .createTable('organizations')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
    .execute();
  await schema
    .createTable('workspaces')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('organization_id', 'text', (column) =>
      column.notNull().references('organizations.id').onDelete('cascade'),
    )
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
    .addUniqueConstraint('workspaces_name', ['organization_id', 'name'])
    .addUniqueConstraint('workspaces_tenant', ['organization_id', 'id'])
    .execute();
  await dialect
    .withSequence(schema.createTable('api_keys'), 'seq')
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('organization_id', 'text', (column) =>
      column.notNull().references('organizations.id').onDelete('cascade'),
    )
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('role', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('key_hash', 'text', (column) => column.notNull().unique())
    .addColumn('key_prefix', 'text', (column) => column.notNull())
    .addColumn('workspace_ids', 'text')
    .addColumn('secret_ids', 'text')
    .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('created_by', 'text', (column) => column.notNull())
    .addColumn('expires_at_ms', 'bigint')
    .addColumn('last_used_at_ms', 'bigint')
    .execute();
  await schema
    .createIndex('api_keys_by_organization')
    .on('api_keys')
    .columns(['organization_id', 'seq'])
    .execute();
}

async function createSecrets(schema: Schema, dialect: Dialect): Promise<void> {
  await dialect
    .withSequence(schema.createTable('secrets'), 'seq')
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('organization_id', 'text', (column) =>
      column.notNull().references('organizations.id').onDelete('cascade'),
    )
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('description', 'text')
    .addColumn('search_text', 'text', (column) => column.notNull())
    .addColumn('auth', 'text')
    .addColumn('hosts', 'text', (column) => column.notNull())
    .addColumn('ports', 'text', (column) => column.notNull())
    .addColumn('provider', 'text')
    .addColumn('provider_params', 'text', (column) => column.notNull())
    .addColumn('methods', 'text')
    .addColumn('paths', 'text')
    .addColumn('priority', 'integer', (column) => column.notNull())
    .addColumn('on_existing', 'text', (column) => column.notNull())
    .addColumn('also_strip', 'text', (column) => column.notNull())
    .addColumn('companion_headers', 'text', (column) => column.notNull())
    .addColumn('mask_responses', 'integer', (column) => column.notNull())
    .addColumn('allow_plaintext', 'integer', (column) => column.notNull())
    .addColumn('allowed_workspaces_type', 'text', (column) => column.notNull())
    .addColumn('allowed_workspaces', 'text', (column) => column.notNull())
    .addColumn('disabled', 'integer', (column) => column.notNull())
    .addColumn('expires_at_ms', 'bigint')
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('active_version_id', 'text', (column) => column.notNull())
    .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('rotated_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('created_by', 'text', (column) => column.notNull())
    .addColumn('updated_by', 'text', (column) => column.notNull())
    .addColumn('revision', 'integer', (column) => column.notNull())
    .addColumn('deleted_at_ms', 'bigint')
    .addColumn('last_used_at_ms', 'bigint')
    .addColumn('last_answered_at_ms', 'bigint')
    .addUniqueConstraint('secrets_tenant', ['organization_id', 'id'])
    .execute();
  // Partial: a name is free the moment its secret is deleted.
  await schema
    .createIndex('secrets_by_name')
    .on('secrets')
    .columns(['organization_id', 'name'])
    .unique()
    .where(sql.ref('deleted_at_ms'), 'is', null)
    .execute();
  await schema
    .createIndex('secrets_newest')
    .on('secrets')
    .columns(['organization_id', 'created_at_ms', 'seq'])
    .where(sql.ref('deleted_at_ms'), 'is', null)
    .execute();
  await schema
    .createTable('secret_hosts')
    .addColumn('organization_id', 'text', (column) => column.notNull())
    .addColumn('secret_id', 'text', (column) => column.notNull())
    .addColumn('host', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('secret_hosts_key', ['secret_id', 'host'])
    .addForeignKeyConstraint(
      'secret_hosts_secret',
      ['organization_id', 'secret_id'],
      'secrets',
      ['organization_id', 'id'],
      (constraint) => constraint.onDelete('cascade'),
    )
    .modifyEnd(dialect.clustered)
    .execute();
  await schema
    .createIndex('secret_hosts_by_host')
    .on('secret_hosts')
    .columns(['organization_id', 'host'])
    .execute();
  await schema
    .createTable('secret_versions')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('organization_id', 'text', (column) => column.notNull())
    .addColumn('secret_id', 'text', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('sealed', dialect.bytes)
    .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('created_by', 'text', (column) => column.notNull())
    .addColumn('last_used_at_ms', 'bigint')
    .addUniqueConstraint('secret_versions_number', ['secret_id', 'version'])
    .addForeignKeyConstraint(
      'secret_versions_secret',
      ['organization_id', 'secret_id'],
      'secrets',
      ['organization_id', 'id'],
      (constraint) => constraint.onDelete('cascade'),
    )
    .execute();
}

async function createSandboxes(schema: Schema, dialect: Dialect): Promise<void> {
  await dialect
    .withSequence(schema.createTable('sandboxes'), 'seq')
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('organization_id', 'text', (column) => column.notNull())
    .addColumn('workspace_id', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('description', 'text')
    .addColumn('status', 'text', (column) => column.notNull())
    .addColumn('metadata', 'text', (column) => column.notNull())
    .addColumn('network', 'text', (column) => column.notNull())
    .addColumn('env_vars', 'text', (column) => column.notNull())
    .addColumn('secrets_mode', 'text', (column) => column.notNull())
    .addColumn('intercept_all', 'integer', (column) => column.notNull())
    .addColumn('source_cidrs', 'text', (column) => column.notNull())
    .addColumn('timeout_seconds', 'integer')
    .addColumn('armed_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('pause_at_ms', 'bigint')
    .addColumn('auto_delete_seconds', 'integer')
    .addColumn('paused_at_ms', 'bigint')
    .addColumn('auto_delete_at_ms', 'bigint')
    .addColumn('expires_at_ms', 'bigint')
    .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('created_by', 'text', (column) => column.notNull())
    .addColumn('revision', 'integer', (column) => column.notNull())
    .addUniqueConstraint('sandboxes_tenant', ['organization_id', 'id'])
    .addForeignKeyConstraint(
      'sandboxes_workspace',
      ['organization_id', 'workspace_id'],
      'workspaces',
      ['organization_id', 'id'],
      (constraint) => constraint.onDelete('cascade'),
    )
    .execute();
  await schema
    .createIndex('sandboxes_newest')
    .on('sandboxes')
    .columns(['organization_id', 'created_at_ms', 'seq'])
    .execute();
  await schema
    .createIndex('sandboxes_to_pause')
    .on('sandboxes')
    .column('pause_at_ms')
    .where(sql.ref('pause_at_ms'), 'is not', null)
    .execute();
  await schema
    .createIndex('sandboxes_to_delete')
    .on('sandboxes')
    .column('auto_delete_at_ms')
    .where(sql.ref('auto_delete_at_ms'), 'is not', null)
    .execute();
  await createSandboxParts(schema, dialect);
}

async function createSandboxParts(schema: Schema, dialect: Dialect): Promise<void> {
  await schema
    .createTable('sandbox_metadata')
    .addColumn('organization_id', 'text', (column) => column.notNull())
    .addColumn('sandbox_id', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('value', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('sandbox_metadata_key', ['sandbox_id', 'key'])
    .addForeignKeyConstraint(
      'sandbox_metadata_sandbox',
      ['organization_id', 'sandbox_id'],
      'sandboxes',
      ['organization_id', 'id'],
      (constraint) => constraint.onDelete('cascade'),
    )
    .modifyEnd(dialect.clustered)
    .execute();
  await schema
    .createIndex('sandbox_metadata_by_pair')
    .on('sandbox_metadata')
    .columns(['organization_id', 'key', 'value'])
    .execute();
  await schema
    .createTable('sandbox_tokens')
    .addColumn('token_hash', 'text', (column) => column.primaryKey())
    .addColumn('organization_id', 'text', (column) => column.notNull())
    .addColumn('sandbox_id', 'text', (column) => column.notNull())
    .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('valid_until_ms', 'bigint')
    .addForeignKeyConstraint(
      'sandbox_tokens_sandbox',
      ['organization_id', 'sandbox_id'],
      'sandboxes',
      ['organization_id', 'id'],
      (constraint) => constraint.onDelete('cascade'),
    )
    .execute();
  await schema
    .createIndex('sandbox_tokens_by_sandbox')
    .on('sandbox_tokens')
    .columns(['organization_id', 'sandbox_id'])
    .execute();
  await dialect
    .withSequence(schema.createTable('bindings'), 'seq')
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('organization_id', 'text', (column) => column.notNull())
    .addColumn('sandbox_id', 'text', (column) => column.notNull())
    .addColumn('secret_id', 'text', (column) => column.notNull())
    .addColumn('env_key', 'text', (column) => column.notNull())
    .addColumn('inject', 'text', (column) => column.notNull())
    .addColumn('placeholder', 'text', (column) => column.notNull())
    .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('detached_at_ms', 'bigint')
    .addForeignKeyConstraint(
      'bindings_sandbox',
      ['organization_id', 'sandbox_id'],
      'sandboxes',
      ['organization_id', 'id'],
      (constraint) => constraint.onDelete('cascade'),
    )
    .addForeignKeyConstraint(
      'bindings_secret',
      ['organization_id', 'secret_id'],
      'secrets',
      ['organization_id', 'id'],
      (constraint) => constraint.onDelete('cascade'),
    )
    .execute();
  // Partial: an environment variable is bound once at a time; detached bindings stay as tombstones.
  await schema
    .createIndex('bindings_by_env_key')
    .on('bindings')
    .columns(['organization_id', 'sandbox_id', 'env_key'])
    .unique()
    .where(sql.ref('detached_at_ms'), 'is', null)
    .execute();
  await schema
    .createIndex('bindings_by_sandbox')
    .on('bindings')
    .columns(['sandbox_id', 'seq'])
    .execute();
  await schema
    .createIndex('bindings_by_secret')
    .on('bindings')
    .columns(['organization_id', 'secret_id', 'seq'])
    .execute();
}

/** Appended to at the rate of the traffic: as few indexes as the reads allow. */
async function createAudit(schema: Schema, dialect: Dialect): Promise<void> {
  await schema
    .createTable('audit_events')
    .addColumn('id', dialect.rowId, (column) => column.primaryKey())
    .addColumn('organization_id', 'text', (column) => column.notNull())
    .addColumn('sandbox_id', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('ts_ms', 'bigint', (column) => column.notNull())
    .addColumn('important', 'integer', (column) => column.notNull())
    .addColumn('request_id', 'text', (column) => column.notNull())
    .addColumn('host', 'text', (column) => column.notNull())
    .addColumn('port', 'integer', (column) => column.notNull())
    .addColumn('decision', 'text', (column) => column.notNull())
    .addColumn('code', 'text')
    .addColumn('detail', 'text')
    .addColumn('bytes_in', 'bigint', (column) => column.notNull())
    .addColumn('bytes_out', 'bigint', (column) => column.notNull())
    .addColumn('latency_ms', 'bigint', (column) => column.notNull())
    .addColumn('secrets', 'text')
    .addColumn('method', 'text')
    .addColumn('scheme', 'text')
    .addColumn('path', 'text')
    .addColumn('status', 'integer')
    .addColumn('upstream_status', 'integer')
    .addColumn('http_version', 'text')
    .addColumn('dst_ip', 'text')
    .addColumn('verdict', 'text')
    .addColumn('match_rule', 'text')
    .execute();
  await schema
    .createIndex('audit_events_by_sandbox')
    .on('audit_events')
    .columns(['sandbox_id', 'ts_ms', 'kind', 'id'])
    .execute();
  await schema
    .createIndex('audit_events_oldest')
    .on('audit_events')
    .columns(['organization_id', 'important', 'ts_ms'])
    .execute();
  await schema
    .createTable('audit_event_secrets')
    .addColumn('organization_id', 'text', (column) => column.notNull())
    .addColumn('secret_id', 'text', (column) => column.notNull())
    .addColumn('event_id', 'bigint', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('status', 'integer')
    .addPrimaryKeyConstraint('audit_event_secrets_key', ['secret_id', 'event_id'])
    .modifyEnd(dialect.clustered)
    .execute();
  await schema
    .createTable('audit_counts')
    .addColumn('organization_id', 'text', (column) => column.notNull())
    .addColumn('important', 'integer', (column) => column.notNull())
    .addColumn('row_count', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('audit_counts_key', ['organization_id', 'important'])
    .execute();
  await schema
    .createTable('audit_sequence')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('last_id', 'bigint', (column) => column.notNull())
    .execute();
  await schema
    .createTable('audit_writers')
    .addColumn('writer', 'text', (column) => column.primaryKey())
    .addColumn('sequence', 'bigint', (column) => column.notNull())
    .addColumn('seen_at_ms', 'bigint', (column) => column.notNull())
    .execute();
}
