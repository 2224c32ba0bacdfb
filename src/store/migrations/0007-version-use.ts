/**
 * What a version served and how origins took it: requests since the secret's last rotation, refused
 * credentials since the last accepted one. Which version a secret may fall back to while a rotation
 * overlaps, and the highest number given. Writers of usage batches, so that a repeated one counts once.
 */
import type { Migration } from './migration.ts';

export const versionUse: Migration = {
  version: 7,
  async up(database) {
    const { schema } = database;
    await schema
      .alterTable('secrets')
      .addColumn('highest_version', 'integer', (column) => column.notNull().defaultTo(0))
      .execute();
    await schema
      .alterTable('secrets')
      .addColumn('rotation', 'integer', (column) => column.notNull().defaultTo(1))
      .execute();
    await schema.alterTable('secrets').addColumn('overlap_version', 'integer').execute();
    await schema.alterTable('secrets').addColumn('overlap_version_id', 'text').execute();
    await schema.alterTable('secrets').addColumn('overlap_ends_at_ms', 'bigint').execute();
    await database
      .updateTable('secrets')
      .set((column) => ({ highest_version: column.ref('version') }))
      .execute();
    await schema
      .alterTable('secret_versions')
      .addColumn('rotation', 'integer', (column) => column.notNull().defaultTo(0))
      .execute();
    await schema
      .alterTable('secret_versions')
      .addColumn('requests', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
    await schema
      .alterTable('secret_versions')
      .addColumn('auth_failures', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
    await schema
      .alterTable('secret_versions')
      .addColumn('last_auth_failure_at_ms', 'bigint')
      .execute();
    await schema.alterTable('secret_versions').addColumn('auth_failure_kind', 'text').execute();
    await schema
      .createTable('usage_writers')
      .addColumn('writer', 'text', (column) => column.primaryKey())
      .addColumn('sequence', 'bigint', (column) => column.notNull())
      .addColumn('seen_at_ms', 'bigint', (column) => column.notNull())
      .execute();
  },
};
