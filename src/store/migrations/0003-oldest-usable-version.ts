/**
 * From which version on a secret may be used: older ones were never given for where it goes now. What was
 * stored before this step counts from its first version.
 */
import type { Migration } from './migration.ts';

export const oldestUsableVersion: Migration = {
  version: 3,
  async up({ schema }) {
    await schema
      .alterTable('secrets')
      .addColumn('oldest_usable_version', 'integer', (column) => column.notNull().defaultTo(1))
      .execute();
  },
};
