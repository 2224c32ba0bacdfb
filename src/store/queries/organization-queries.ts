/** Organizations, workspaces and API keys on the database. */
import { ControlError } from '../../kernel/errors.ts';
import type { OrganizationStore } from '../../organizations/organization-store.ts';
import type { Role } from '../../organizations/organization.ts';
import { isUniqueViolation } from '../constraint.ts';
import type { Transaction } from '../database.ts';
import {
  apiKeyColumns,
  apiKeyOf,
  organizationOf,
  workspaceColumns,
  workspaceOf,
} from './organization-row.ts';
import { removeWorkspaceMentions } from './workspace-mentions.ts';

/** Roles that may manage keys: an organization always keeps one. */
const MANAGING_ROLES: readonly Role[] = ['admin', 'root'];

export function organizationQueries(transaction: Transaction): OrganizationStore {
  const { query } = transaction;
  return {
    async insertOrganization(organization, workspace) {
      try {
        await query
          .insertInto('organizations')
          .values({
            id: organization.id,
            name: organization.name,
            created_at_ms: organization.createdAtMs,
          })
          .execute();
        await query.insertInto('workspaces').values(workspaceColumns(workspace)).execute();
      } catch (error) {
        if (!isUniqueViolation(error)) throw error;
        throw new ControlError('conflict', {
          message: `An organization named ${organization.name} exists already.`,
          cause: error,
        });
      }
    },

    async readOrganization(idOrName) {
      const rows = await query
        .selectFrom('organizations')
        .selectAll()
        .where((where) => where.or([where('id', '=', idOrName), where('name', '=', idOrName)]))
        .execute();
      const row = preferId(rows, idOrName);
      return row === undefined ? undefined : organizationOf(row);
    },

    async listOrganizations() {
      const rows = await query
        .selectFrom('organizations')
        .selectAll()
        .orderBy('created_at_ms')
        .orderBy('id')
        .execute();
      return rows.map(organizationOf);
    },

    async deleteOrganization(id) {
      const sandboxes = await query
        .selectFrom('sandboxes')
        .select('id')
        .where('organization_id', '=', id)
        .execute();
      // Sandboxes and secrets hold each other through bindings; these go first.
      await query.deleteFrom('sandboxes').where('organization_id', '=', id).execute();
      const result = await query
        .deleteFrom('organizations')
        .where('id', '=', id)
        .executeTakeFirst();
      return result.numDeletedRows === 0n ? undefined : sandboxes.map((sandbox) => sandbox.id);
    },

    async listWorkspaces(organizationId) {
      const rows = await query
        .selectFrom('workspaces')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .orderBy('created_at_ms')
        .orderBy('id')
        .execute();
      return rows.map(workspaceOf);
    },

    async readWorkspace(organizationId, idOrName) {
      const rows = await query
        .selectFrom('workspaces')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .where((where) => where.or([where('id', '=', idOrName), where('name', '=', idOrName)]))
        .execute();
      const row = preferId(rows, idOrName);
      return row === undefined ? undefined : workspaceOf(row);
    },

    async insertWorkspace(workspace) {
      try {
        await query.insertInto('workspaces').values(workspaceColumns(workspace)).execute();
      } catch (error) {
        if (!isUniqueViolation(error)) throw error;
        throw new ControlError('conflict', {
          message: `A workspace named ${workspace.name} exists already.`,
          cause: error,
        });
      }
    },

    async deleteWorkspace(organizationId, id) {
      const workspaces = await query
        .selectFrom('workspaces')
        .select('id')
        .where('organization_id', '=', organizationId)
        .limit(2)
        .execute();
      if (workspaces.length === 1 && workspaces[0]?.id === id) {
        throw new ControlError('conflict', {
          message: 'This is the last workspace of the organization; create another one first.',
        });
      }
      const sandbox = await query
        .selectFrom('sandboxes')
        .select('id')
        .where('organization_id', '=', organizationId)
        .where('workspace_id', '=', id)
        .executeTakeFirst();
      if (sandbox !== undefined) {
        throw new ControlError('conflict', {
          message: 'There are sandboxes in this workspace; delete them first.',
        });
      }
      await removeWorkspaceMentions(transaction, organizationId, id);
      const result = await query
        .deleteFrom('workspaces')
        .where('organization_id', '=', organizationId)
        .where('id', '=', id)
        .executeTakeFirst();
      return result.numDeletedRows > 0n;
    },

    async insertApiKey(key) {
      await query.insertInto('api_keys').values(apiKeyColumns(key)).execute();
    },

    async readApiKeyByHash(keyHash) {
      const row = await query
        .selectFrom('api_keys')
        .selectAll()
        .where('key_hash', '=', keyHash)
        .executeTakeFirst();
      return row === undefined ? undefined : apiKeyOf(row);
    },

    async listApiKeys(organizationId) {
      const rows = await query
        .selectFrom('api_keys')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .orderBy('seq')
        .execute();
      return rows.map(apiKeyOf);
    },

    async deleteApiKey(organizationId, id) {
      const managing = await query
        .selectFrom('api_keys')
        .select('id')
        .where('organization_id', '=', organizationId)
        .where('role', 'in', MANAGING_ROLES)
        .limit(2)
        .execute();
      if (managing.length === 1 && managing[0]?.id === id) {
        throw new ControlError('conflict', {
          message: 'This is the last admin key of the organization; create another one first.',
        });
      }
      const result = await query
        .deleteFrom('api_keys')
        .where('organization_id', '=', organizationId)
        .where('id', '=', id)
        .executeTakeFirst();
      return result.numDeletedRows > 0n;
    },

    async touchApiKeys(uses) {
      for (const use of uses) {
        await query
          .updateTable('api_keys')
          .set({ last_used_at_ms: use.atMs })
          .where('id', '=', use.id)
          .where((where) =>
            where.or([
              where('last_used_at_ms', 'is', null),
              where('last_used_at_ms', '<', use.atMs),
            ]),
          )
          .execute();
      }
    },
  };
}

/** Somebody may name one thing with the id of another. */
function preferId<Row extends { readonly id: string }>(
  rows: readonly Row[],
  id: string,
): Row | undefined {
  return rows.find((row) => row.id === id) ?? rows[0];
}
