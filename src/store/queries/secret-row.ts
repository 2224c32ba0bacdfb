/** A secret and its versions as rows, and back. */
import type { Insertable, Selectable } from 'kysely';
import type { Auth } from '../../secrets/auth.ts';
import type { SecretHealth } from '../../secrets/secret-health.ts';
import type { SecretRow } from '../../secrets/secret-store.ts';
import type {
  AllowedWorkspacesType,
  OnExisting,
  SealedVersion,
  Secret,
  VersionOverlap,
} from '../../secrets/secret.ts';
import { flag, fromJson, fromJsonOrNull, json, jsonOrNull } from '../columns.ts';
import type { SecretVersionsTable, SecretsTable } from '../tables.ts';

export function secretColumns(secret: Secret): Insertable<SecretsTable> {
  return {
    id: secret.id,
    organization_id: secret.organizationId,
    name: secret.name,
    description: secret.description,
    search_text: searchText(secret),
    auth: jsonOrNull(secret.auth),
    hosts: json(secret.hosts),
    ports: json(secret.ports),
    provider: secret.provider,
    provider_params: json(secret.providerParams),
    methods: jsonOrNull(secret.methods),
    paths: jsonOrNull(secret.paths),
    priority: secret.priority,
    on_existing: secret.onExisting,
    also_strip: json(secret.alsoStrip),
    companion_headers: json(secret.companionHeaders),
    mask_responses: flag(secret.maskResponses),
    allow_plaintext: flag(secret.allowPlaintext),
    allowed_workspaces_type: secret.allowedWorkspacesType,
    allowed_workspaces: json(secret.allowedWorkspaces),
    disabled: flag(secret.disabled),
    expires_at_ms: secret.expiresAtMs,
    version: secret.version,
    active_version_id: secret.activeVersionId,
    oldest_usable_version: secret.oldestUsableVersion,
    highest_version: secret.highestVersion,
    rotation: secret.rotation,
    overlap_version: secret.overlap?.version ?? null,
    overlap_version_id: secret.overlap?.versionId ?? null,
    overlap_ends_at_ms: secret.overlap?.endsAtMs ?? null,
    created_at_ms: secret.createdAtMs,
    updated_at_ms: secret.updatedAtMs,
    rotated_at_ms: secret.rotatedAtMs,
    created_by: secret.createdBy,
    updated_by: secret.updatedBy,
    revision: secret.revision,
  };
}

export function secretOf(row: Selectable<SecretsTable>): Secret {
  return {
    id: row.id,
    organizationId: row.organization_id,
    name: row.name,
    description: row.description,
    auth: fromJsonOrNull(row.auth) as Auth | null,
    hosts: fromJson(row.hosts) as readonly string[],
    ports: fromJson(row.ports) as readonly number[],
    provider: row.provider,
    providerParams: fromJson(row.provider_params) as Record<string, string>,
    methods: fromJsonOrNull(row.methods) as readonly string[] | null,
    paths: fromJsonOrNull(row.paths) as readonly string[] | null,
    priority: row.priority,
    onExisting: row.on_existing as OnExisting,
    alsoStrip: fromJson(row.also_strip) as Secret['alsoStrip'],
    companionHeaders: fromJson(row.companion_headers) as Record<string, string>,
    maskResponses: row.mask_responses === 1,
    allowPlaintext: row.allow_plaintext === 1,
    allowedWorkspacesType: row.allowed_workspaces_type as AllowedWorkspacesType,
    allowedWorkspaces: fromJson(row.allowed_workspaces) as readonly string[],
    disabled: row.disabled === 1,
    expiresAtMs: row.expires_at_ms,
    version: row.version,
    activeVersionId: row.active_version_id,
    oldestUsableVersion: row.oldest_usable_version,
    highestVersion: row.highest_version,
    rotation: row.rotation,
    overlap: overlapOf(row),
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    rotatedAtMs: row.rotated_at_ms,
    createdBy: row.created_by,
    updatedBy: row.updated_by,
    revision: row.revision,
  };
}

function overlapOf(row: Selectable<SecretsTable>): VersionOverlap | null {
  const { overlap_version_id: versionId, overlap_version: version, overlap_ends_at_ms } = row;
  if (versionId === null || version === null || overlap_ends_at_ms === null) return null;
  return { versionId, version, endsAtMs: overlap_ends_at_ms };
}

export function secretRowOf(row: Selectable<SecretsTable>, health: SecretHealth): SecretRow {
  return {
    secret: secretOf(row),
    usage: { lastUsedAtMs: row.last_used_at_ms, lastAnsweredAtMs: row.last_answered_at_ms },
    health,
  };
}

type HealthColumns = Pick<
  Selectable<SecretVersionsTable>,
  'auth_failures' | 'last_auth_failure_at_ms' | 'auth_failure_kind'
>;

export function healthOf(row: HealthColumns): SecretHealth {
  return {
    authFailures: row.auth_failures,
    lastAuthFailureAtMs: row.last_auth_failure_at_ms,
    authFailureKind: row.auth_failure_kind as SecretHealth['authFailureKind'],
  };
}

export function versionColumns(version: SealedVersion): Insertable<SecretVersionsTable> {
  return {
    id: version.id,
    organization_id: version.organizationId,
    secret_id: version.secretId,
    version: version.version,
    sealed: version.sealed,
    created_at_ms: version.createdAtMs,
    created_by: version.createdBy,
  };
}

/** `undefined` when the sealed value was destroyed. */
export function readSealedVersion(row: Selectable<SecretVersionsTable>): SealedVersion | undefined {
  if (row.sealed === null) return undefined;
  return {
    id: row.id,
    organizationId: row.organization_id,
    secretId: row.secret_id,
    version: row.version,
    sealed: row.sealed,
    createdAtMs: row.created_at_ms,
    createdBy: row.created_by,
  };
}

/** A line break keeps a search from matching across name and description. */
function searchText(secret: Secret): string {
  return `${secret.name}\n${secret.description ?? ''}`.toLowerCase();
}
