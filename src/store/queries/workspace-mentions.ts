/**
 * Takes a workspace that ends out of the lists of those that may use a secret. A list that becomes empty is
 * `NONE`, which is what it means: nobody may use it, and nobody new can by way of a name that comes again.
 */
import { fromJson, json } from '../columns.ts';
import type { Transaction } from '../database.ts';

export async function removeWorkspaceMentions(
  { query }: Transaction,
  organizationId: string,
  workspaceId: string,
): Promise<void> {
  const rows = await query
    .selectFrom('secrets')
    .select(['id', 'allowed_workspaces', 'revision'])
    .where('organization_id', '=', organizationId)
    .where('allowed_workspaces', 'like', `%"${workspaceId}"%`)
    .execute();
  for (const { id, allowed_workspaces: listed, revision } of rows) {
    const kept = (fromJson(listed) as readonly string[]).filter((one) => one !== workspaceId);
    await query
      .updateTable('secrets')
      .set({
        allowed_workspaces: json(kept),
        revision: revision + 1,
        ...(kept.length === 0 ? { allowed_workspaces_type: 'NONE' } : {}),
      })
      .where('organization_id', '=', organizationId)
      .where('id', '=', id)
      .execute();
  }
}
