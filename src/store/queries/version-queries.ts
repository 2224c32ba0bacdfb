/** Versions of secrets on the database: listed with what they served, their health, their end. */
import type { Selectable } from 'kysely';
import { UNTRIED } from '../../secrets/secret-health.ts';
import type { SecretRow, VersionRow } from '../../secrets/secret-store.ts';
import type { Transaction } from '../database.ts';
import type { SecretsTable } from '../tables.ts';
import { healthOf, secretRowOf } from './secret-row.ts';

/** Parameters of one `in (…)`: databases limit them. */
const IDS_PER_QUERY_MAX = 500;

/** Secrets with the health of their active versions, in the order given. */
export async function withHealth(
  { query }: Transaction,
  rows: readonly Selectable<SecretsTable>[],
): Promise<SecretRow[]> {
  const found: SecretRow[] = [];
  for (let start = 0; start < rows.length; start += IDS_PER_QUERY_MAX) {
    const chunk = rows.slice(start, start + IDS_PER_QUERY_MAX);
    const versions = await query
      .selectFrom('secret_versions')
      .select(['id', 'auth_failures', 'last_auth_failure_at_ms', 'auth_failure_kind'])
      .where(
        'id',
        'in',
        chunk.map((row) => row.active_version_id),
      )
      .execute();
    const byId = new Map(versions.map((version) => [version.id, healthOf(version)]));
    for (const row of chunk) {
      found.push(secretRowOf(row, byId.get(row.active_version_id) ?? UNTRIED));
    }
  }
  return found;
}

export async function listVersions(
  { query }: Transaction,
  organizationId: string,
  secretId: string,
): Promise<VersionRow[]> {
  const rows = await query
    .selectFrom('secret_versions as v')
    .innerJoin('secrets as s', 's.id', 'v.secret_id')
    .select(['v.id', 'v.version', 'v.created_at_ms', 'v.created_by', 'v.last_used_at_ms'])
    .select(['v.requests', 'v.rotation', 's.rotation as secret_rotation', 's.active_version_id'])
    .select(['v.auth_failures', 'v.last_auth_failure_at_ms', 'v.auth_failure_kind'])
    .select((column) => column('v.sealed', 'is', null).as('is_destroyed'))
    .where('v.organization_id', '=', organizationId)
    .where('v.secret_id', '=', secretId)
    .orderBy('v.version', 'desc')
    .execute();
  const pins = await countPins(query, organizationId, secretId);
  return rows.map((row) => ({
    id: row.id,
    version: row.version,
    createdAtMs: row.created_at_ms,
    createdBy: row.created_by,
    active: row.id === row.active_version_id,
    lastUsedAtMs: row.last_used_at_ms,
    requestsSinceRotation: row.rotation === row.secret_rotation ? row.requests : 0,
    health: healthOf(row),
    isDestroyed: Boolean(row.is_destroyed),
    pins: pins.get(row.version) ?? 0,
  }));
}

async function countPins(
  query: Transaction['query'],
  organizationId: string,
  secretId: string,
): Promise<ReadonlyMap<number, number>> {
  const rows = await query
    .selectFrom('bindings')
    .select('pinned_version')
    .where('organization_id', '=', organizationId)
    .where('secret_id', '=', secretId)
    .where('detached_at_ms', 'is', null)
    .where('pinned_version', 'is not', null)
    .execute();
  const counts = new Map<number, number>();
  for (const { pinned_version: version } of rows) {
    if (version !== null) counts.set(version, (counts.get(version) ?? 0) + 1);
  }
  return counts;
}

export async function destroyOldVersions(
  { query }: Transaction,
  organizationId: string,
  secretId: string,
  kept: number,
): Promise<number> {
  const secret = await query
    .selectFrom('secrets')
    .select(['active_version_id', 'overlap_version_id'])
    .where('organization_id', '=', organizationId)
    .where('id', '=', secretId)
    .executeTakeFirst();
  if (secret === undefined) return 0;
  const oldest = await query
    .selectFrom('secret_versions')
    .select('version')
    .where('secret_id', '=', secretId)
    .where('sealed', 'is not', null)
    .orderBy('version', 'desc')
    .offset(kept - 1)
    .limit(1)
    .executeTakeFirst();
  if (oldest === undefined) return 0;
  const pins = await countPins(query, organizationId, secretId);
  const needed = [secret.active_version_id, secret.overlap_version_id ?? ''];
  const result = await query
    .updateTable('secret_versions')
    .set({ sealed: null })
    .where('organization_id', '=', organizationId)
    .where('secret_id', '=', secretId)
    .where('version', '<', oldest.version)
    .where('sealed', 'is not', null)
    .where('id', 'not in', needed)
    .$if(pins.size > 0, (update) => update.where('version', 'not in', [...pins.keys()]))
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
}
