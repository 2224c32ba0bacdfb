/**
 * Requests a minute and at once that a sandbox may have (`null`: no limit), and an index that finds the
 * sandboxes which may use every secret of their organization.
 */
import type { Migration } from './migration.ts';

export const sandboxLimits: Migration = {
  version: 8,
  async up({ schema }) {
    await schema.alterTable('sandboxes').addColumn('requests_per_minute', 'integer').execute();
    await schema.alterTable('sandboxes').addColumn('concurrent_max', 'integer').execute();
    await schema
      .createIndex('sandboxes_by_secrets_mode')
      .on('sandboxes')
      .columns(['organization_id', 'secrets_mode'])
      .execute();
  },
};
