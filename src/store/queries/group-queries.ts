/** Groups of secrets on the database. Secrets are written by the queries of secrets. */
import { sql } from 'kysely';
import type { GroupStore, GroupWrite } from '../../groups/group-store.ts';
import type { SecretGroup } from '../../groups/secret-group.ts';
import { ControlError } from '../../kernel/errors.ts';
import { isUniqueViolation } from '../constraint.ts';
import type { Transaction } from '../database.ts';
import { groupsSharedWith } from './group-collaborators.ts';
import { groupColumns, groupOf } from './group-row.ts';
import { listMembers } from './member-list.ts';
import { secretQueries } from './secret-queries.ts';

export function groupQueries(transaction: Transaction): GroupStore {
  const { query } = transaction;
  const secrets = secretQueries(transaction);

  async function writeCollaborators(group: SecretGroup): Promise<void> {
    await query.deleteFrom('secret_group_collaborators').where('group_id', '=', group.id).execute();
    const subjects = new Set(group.manifest?.collaborators?.map(({ subject }) => subject));
    for (const subject of subjects) {
      await query
        .insertInto('secret_group_collaborators')
        .values({ organization_id: group.organizationId, group_id: group.id, subject })
        .execute();
    }
  }

  async function insertMembers({ group, inserted }: Pick<GroupWrite, 'group' | 'inserted'>) {
    for (const { secret, version } of inserted) {
      await secrets.insertSecret(secret, version);
      await query
        .updateTable('secrets')
        .set({ group_id: group.id })
        .where('organization_id', '=', group.organizationId)
        .where('id', '=', secret.id)
        .execute();
    }
  }

  return {
    async insertGroup(group, inserted) {
      try {
        await query.insertInto('secret_groups').values(groupColumns(group)).execute();
      } catch (error) {
        if (!isUniqueViolation(error)) throw error;
        throw new ControlError('conflict', {
          message: `A secret group named ${group.name} exists already.`,
          cause: error,
        });
      }
      await writeCollaborators(group);
      await insertMembers({ group, inserted });
    },

    async readGroup(organizationId, id) {
      const row = await query
        .selectFrom('secret_groups')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .where('id', '=', id)
        .executeTakeFirst();
      return row === undefined ? undefined : groupOf(row);
    },

    async readGroupByName(organizationId, name) {
      const row = await query
        .selectFrom('secret_groups')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .where('name', '=', name)
        .executeTakeFirst();
      return row === undefined ? undefined : groupOf(row);
    },

    async listGroups(organizationId, filter) {
      const { subject, name, search } = filter;
      let select = query.selectFrom('secret_groups').where('organization_id', '=', organizationId);
      if (name !== undefined) select = select.where('name', '=', name);
      if (search !== undefined && search !== '') {
        const pattern = `%${search.toLowerCase().replaceAll(/[\\%_]/g, '\\$&')}%`;
        select = select.where(sql<boolean>`lower(name) like ${pattern} escape '\\'`);
      }
      if (subject !== undefined) {
        select = select.where('id', 'in', groupsSharedWith(transaction, organizationId, subject));
      }
      const { total } = await select
        .select((expression) => expression.fn.countAll<number>().as('total'))
        .executeTakeFirstOrThrow();
      const rows = await select
        .selectAll()
        .orderBy('seq', 'desc')
        .limit(filter.limit)
        .offset(filter.offset)
        .execute();
      return { rows: rows.map(groupOf), total };
    },

    async writeGroup(write) {
      const { group } = write;
      const result = await query
        .updateTable('secret_groups')
        .set(groupColumns(group))
        .where('organization_id', '=', group.organizationId)
        .where('id', '=', group.id)
        .where('revision', '=', group.revision - 1)
        .executeTakeFirst();
      if (result.numUpdatedRows === 0n) return false;
      await writeCollaborators(group);
      for (const id of write.deletedIds) {
        if (!(await secrets.deleteSecret(group.organizationId, id, write.atMs)))
          throw changedMeanwhile();
      }
      for (const { secret, version } of write.updated) {
        if (!(await secrets.updateSecret(secret, version))) throw changedMeanwhile();
      }
      await insertMembers(write);
      return true;
    },

    async deleteGroup(organizationId, id, atMs) {
      const members = await query
        .selectFrom('secrets')
        .select('id')
        .where('organization_id', '=', organizationId)
        .where('group_id', '=', id)
        .where('deleted_at_ms', 'is', null)
        .execute();
      for (const member of members) await secrets.deleteSecret(organizationId, member.id, atMs);
      const result = await query
        .deleteFrom('secret_groups')
        .where('organization_id', '=', organizationId)
        .where('id', '=', id)
        .executeTakeFirst();
      return result.numDeletedRows === 0n ? undefined : members.map((member) => member.id);
    },

    listMembers: (organizationId, filter) => listMembers(transaction, organizationId, filter),
  };
}

/** Thrown, so that what was written before it in this transaction is taken back. */
function changedMeanwhile(): ControlError {
  return new ControlError('conflict', {
    message: 'A secret of this group was changed meanwhile; try again.',
  });
}
