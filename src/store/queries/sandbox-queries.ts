/** Sandboxes and their tokens on the database; bindings are in `binding-queries.ts`. */
import { ControlError } from '../../kernel/errors.ts';
import type { SandboxRow, SandboxStore } from '../../sandboxes/sandbox-store.ts';
import type { Sandbox } from '../../sandboxes/sandbox.ts';
import type { Transaction } from '../database.ts';
import { detachBinding, insertBindings, readAttached } from './binding-queries.ts';
import { sandboxColumns, sandboxOf, tokenColumns } from './sandbox-row.ts';

export function sandboxQueries(transaction: Transaction): SandboxStore {
  const { query } = transaction;

  async function writeMetadata(sandbox: Sandbox): Promise<void> {
    await query.deleteFrom('sandbox_metadata').where('sandbox_id', '=', sandbox.id).execute();
    const pairs = Object.entries(sandbox.metadata);
    if (pairs.length === 0) return;
    await query
      .insertInto('sandbox_metadata')
      .values(
        pairs.map(([key, value]) => ({
          organization_id: sandbox.organizationId,
          sandbox_id: sandbox.id,
          key,
          value,
        })),
      )
      .execute();
  }

  async function requireSandbox(organizationId: string, id: string): Promise<void> {
    const row = await query
      .selectFrom('sandboxes')
      .select('id')
      .where('organization_id', '=', organizationId)
      .where('id', '=', id)
      .executeTakeFirst();
    if (row === undefined) throw new ControlError('not_found');
  }

  return {
    async insertSandbox(sandbox, bindings, token) {
      await query.insertInto('sandboxes').values(sandboxColumns(sandbox)).execute();
      await writeMetadata(sandbox);
      await query.insertInto('sandbox_tokens').values(tokenColumns(token)).execute();
      await insertBindings(transaction, bindings);
    },

    async readSandbox(organizationId, id) {
      const row = await query
        .selectFrom('sandboxes')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .where('id', '=', id)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const attached = await readAttached(transaction, [id]);
      return { sandbox: sandboxOf(row), bindings: attached.get(id) ?? [] };
    },

    async listSandboxes(organizationId, filter) {
      let select = query
        .selectFrom('sandboxes')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .orderBy('created_at_ms', 'desc')
        .orderBy('seq', 'desc');
      if (filter.status !== undefined) select = select.where('status', '=', filter.status);
      if (filter.workspaceIds !== undefined) {
        select = select.where('workspace_id', 'in', filter.workspaceIds);
      }
      for (const [key, value] of Object.entries(filter.metadata ?? {})) {
        select = select.where('id', 'in', (inner) =>
          inner
            .selectFrom('sandbox_metadata')
            .select('sandbox_id')
            .where('organization_id', '=', organizationId)
            .where('key', '=', key)
            .where('value', '=', value),
        );
      }
      if (filter.limit !== undefined || filter.offset !== undefined) {
        // SQLite has no offset without a limit.
        select = select.limit(filter.limit ?? Number.MAX_SAFE_INTEGER).offset(filter.offset ?? 0);
      }
      const sandboxes = (await select.execute()).map(sandboxOf);
      const ids = sandboxes.map((sandbox) => sandbox.id);
      const attached = await readAttached(transaction, ids);
      return sandboxes.map((sandbox): SandboxRow => ({
        sandbox,
        bindings: attached.get(sandbox.id) ?? [],
      }));
    },

    async listAllModeWorkspaces(organizationId) {
      const rows = await query
        .selectFrom('sandboxes')
        .select('workspace_id')
        .distinct()
        .where('organization_id', '=', organizationId)
        .where('secrets_mode', '=', 'all')
        .execute();
      return rows.map((row) => row.workspace_id);
    },

    async updateSandbox(sandbox) {
      const result = await query
        .updateTable('sandboxes')
        .set(sandboxColumns(sandbox))
        .where('organization_id', '=', sandbox.organizationId)
        .where('id', '=', sandbox.id)
        .where('revision', '=', sandbox.revision - 1)
        .executeTakeFirst();
      if (result.numUpdatedRows === 0n) return false;
      await writeMetadata(sandbox);
      return true;
    },

    async deleteSandbox(organizationId, id) {
      // Bindings, tokens and metadata go with it: their foreign keys cascade.
      const result = await query
        .deleteFrom('sandboxes')
        .where('organization_id', '=', organizationId)
        .where('id', '=', id)
        .executeTakeFirst();
      return result.numDeletedRows > 0n;
    },

    async insertBinding(binding) {
      await requireSandbox(binding.organizationId, binding.sandboxId);
      await insertBindings(transaction, [binding]);
    },

    detachBinding: (organizationId, sandboxId, envKey, atMs) =>
      detachBinding(transaction, organizationId, sandboxId, envKey, atMs),

    async replaceToken(token, oldValidUntilMs) {
      await requireSandbox(token.organizationId, token.sandboxId);
      const others = query
        .selectFrom('sandbox_tokens')
        .select('token_hash')
        .where('organization_id', '=', token.organizationId)
        .where('sandbox_id', '=', token.sandboxId);
      await query
        .deleteFrom('sandbox_tokens')
        .where('token_hash', 'in', others.where('valid_until_ms', '<=', token.createdAtMs))
        .execute();
      await query
        .updateTable('sandbox_tokens')
        .set({ valid_until_ms: oldValidUntilMs })
        .where('token_hash', 'in', others)
        // Never longer than it had.
        .where((where) =>
          where.or([
            where('valid_until_ms', 'is', null),
            where('valid_until_ms', '>', oldValidUntilMs),
          ]),
        )
        .execute();
      await query.insertInto('sandbox_tokens').values(tokenColumns(token)).execute();
    },

    async listDueSandboxes(nowMs, limit) {
      const toDelete = await query
        .selectFrom('sandboxes')
        .select(['organization_id', 'id'])
        .where('auto_delete_at_ms', '<=', nowMs)
        .where('auto_delete_at_ms', 'is not', null)
        .orderBy('auto_delete_at_ms')
        .limit(limit)
        .execute();
      const toPause = await query
        .selectFrom('sandboxes')
        .select(['organization_id', 'id'])
        .where('pause_at_ms', '<=', nowMs)
        .where('pause_at_ms', 'is not', null)
        .orderBy('pause_at_ms')
        .limit(Math.max(0, limit - toDelete.length))
        .execute();
      return [
        ...toDelete.map((row) => due(row, 'delete')),
        ...toPause.map((row) => due(row, 'pause')),
      ];
    },
  };
}

function due<const Due>(row: { readonly organization_id: string; readonly id: string }, what: Due) {
  return { organizationId: row.organization_id, id: row.id, due: what };
}
