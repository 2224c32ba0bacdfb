/** Organizations, workspaces and API keys as rows, and back. */
import type { Insertable, Selectable } from 'kysely';
import type { ApiKey, Organization, Role, Workspace } from '../../organizations/organization.ts';
import { fromJsonOrNull, jsonOrNull } from '../columns.ts';
import type { ApiKeysTable, OrganizationsTable, WorkspacesTable } from '../tables.ts';

export function organizationOf(row: Selectable<OrganizationsTable>): Organization {
  return { id: row.id, name: row.name, createdAtMs: row.created_at_ms };
}

export function workspaceOf(row: Selectable<WorkspacesTable>): Workspace {
  return {
    id: row.id,
    organizationId: row.organization_id,
    name: row.name,
    createdAtMs: row.created_at_ms,
  };
}

export function workspaceColumns(workspace: Workspace): Insertable<WorkspacesTable> {
  return {
    id: workspace.id,
    organization_id: workspace.organizationId,
    name: workspace.name,
    created_at_ms: workspace.createdAtMs,
  };
}

export function apiKeyColumns(key: ApiKey): Insertable<ApiKeysTable> {
  return {
    id: key.id,
    organization_id: key.organizationId,
    name: key.name,
    role: key.role,
    subject: key.subject,
    key_hash: key.keyHash,
    key_prefix: key.keyPrefix,
    workspace_ids: jsonOrNull(key.workspaceIds),
    secret_ids: jsonOrNull(key.secretIds),
    created_at_ms: key.createdAtMs,
    created_by: key.createdBy,
    expires_at_ms: key.expiresAtMs,
    last_used_at_ms: key.lastUsedAtMs,
  };
}

export function apiKeyOf(row: Selectable<ApiKeysTable>): ApiKey {
  return {
    id: row.id,
    organizationId: row.organization_id,
    name: row.name,
    role: row.role as Role,
    subject: row.subject,
    keyHash: row.key_hash,
    keyPrefix: row.key_prefix,
    workspaceIds: fromJsonOrNull(row.workspace_ids) as readonly string[] | null,
    secretIds: fromJsonOrNull(row.secret_ids) as readonly string[] | null,
    createdAtMs: row.created_at_ms,
    createdBy: row.created_by,
    expiresAtMs: row.expires_at_ms,
    lastUsedAtMs: row.last_used_at_ms,
  };
}
