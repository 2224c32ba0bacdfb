/** A group of secrets as a row, and back. */
import type { Insertable, Selectable } from 'kysely';
import type { GroupManifest, SecretGroup } from '../../groups/secret-group.ts';
import { fromJsonOrNull, jsonOrNull } from '../columns.ts';
import type { SecretGroupsTable } from '../tables.ts';

export function groupColumns(group: SecretGroup): Insertable<SecretGroupsTable> {
  return {
    id: group.id,
    organization_id: group.organizationId,
    name: group.name,
    integration_id: group.integrationId,
    manifest: jsonOrNull(group.manifest),
    created_at_ms: group.createdAtMs,
    updated_at_ms: group.updatedAtMs,
    created_by: group.createdBy,
    revision: group.revision,
  };
}

export function groupOf(row: Selectable<SecretGroupsTable>): SecretGroup {
  return {
    id: row.id,
    organizationId: row.organization_id,
    name: row.name,
    integrationId: row.integration_id,
    manifest: fromJsonOrNull(row.manifest) as GroupManifest | null,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    createdBy: row.created_by,
    revision: row.revision,
  };
}
