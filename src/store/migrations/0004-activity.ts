/** What admins did: one row a deed, found by organization, newest first, also for one key alone. */
import type { Migration } from './migration.ts';

export const activity: Migration = {
  version: 4,
  async up({ schema }, dialect) {
    await dialect
      .withSequence(schema.createTable('activity'), 'id')
      .addColumn('organization_id', 'text', (column) => column.notNull())
      .addColumn('ts_ms', 'bigint', (column) => column.notNull())
      .addColumn('api_key_id', 'text', (column) => column.notNull())
      .addColumn('subject', 'text', (column) => column.notNull())
      .addColumn('action', 'text', (column) => column.notNull())
      .addColumn('target_id', 'text', (column) => column.notNull())
      .addColumn('target_name', 'text', (column) => column.notNull())
      .addColumn('before_fields', 'text')
      .addColumn('after_fields', 'text')
      .addColumn('widened', 'text')
      .execute();
    await schema
      .createIndex('activity_by_organization')
      .on('activity')
      .columns(['organization_id', 'id'])
      .execute();
    await schema
      .createIndex('activity_by_target')
      .on('activity')
      .columns(['organization_id', 'target_id', 'id'])
      .execute();
    await schema
      .createIndex('activity_by_key')
      .on('activity')
      .columns(['organization_id', 'api_key_id', 'id'])
      .execute();
  },
};
