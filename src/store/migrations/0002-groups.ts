/**
 * Groups of secrets (the TrueFoundry façade) and bindings that stay with one version. A secret without a
 * group has `group_id` null; when a group goes, what is left of its deleted secrets forgets it.
 */
import type { Migration } from './migration.ts';

export const groups: Migration = {
  version: 2,
  async up({ schema }, dialect) {
    await dialect
      .withSequence(schema.createTable('secret_groups'), 'seq')
      .addColumn('id', 'text', (column) => column.notNull().unique())
      .addColumn('organization_id', 'text', (column) =>
        column.notNull().references('organizations.id').onDelete('cascade'),
      )
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('integration_id', 'text')
      .addColumn('manifest', 'text')
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('created_by', 'text', (column) => column.notNull())
      .addColumn('revision', 'integer', (column) => column.notNull())
      .addUniqueConstraint('secret_groups_name', ['organization_id', 'name'])
      .addUniqueConstraint('secret_groups_tenant', ['organization_id', 'id'])
      .execute();
    await schema
      .createIndex('secret_groups_newest')
      .on('secret_groups')
      .columns(['organization_id', 'seq'])
      .execute();
    await schema
      .createTable('secret_group_collaborators')
      .addColumn('organization_id', 'text', (column) => column.notNull())
      .addColumn('group_id', 'text', (column) => column.notNull())
      .addColumn('subject', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('secret_group_collaborators_key', ['group_id', 'subject'])
      .addForeignKeyConstraint(
        'secret_group_collaborators_group',
        ['organization_id', 'group_id'],
        'secret_groups',
        ['organization_id', 'id'],
        (constraint) => constraint.onDelete('cascade'),
      )
      .modifyEnd(dialect.clustered)
      .execute();
    await schema
      .createIndex('secret_group_collaborators_by_subject')
      .on('secret_group_collaborators')
      .columns(['organization_id', 'subject', 'group_id'])
      .execute();
    await schema
      .alterTable('secrets')
      .addColumn('group_id', 'text', (column) =>
        column.references('secret_groups.id').onDelete('set null'),
      )
      .execute();
    await schema
      .createIndex('secrets_by_group')
      .on('secrets')
      .columns(['group_id', 'created_at_ms', 'seq'])
      .execute();
    await schema.alterTable('bindings').addColumn('pinned_version', 'integer').execute();
  },
};
