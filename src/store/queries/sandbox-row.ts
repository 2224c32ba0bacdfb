/** Sandboxes, bindings and tokens as rows, and back. */
import type { Insertable, Selectable } from 'kysely';
import type {
  Binding,
  Inject,
  NetworkConfig,
  Sandbox,
  SandboxStatus,
  SandboxToken,
} from '../../sandboxes/sandbox.ts';
import { flag, fromJson, json } from '../columns.ts';
import type { BindingsTable, SandboxTokensTable, SandboxesTable } from '../tables.ts';

export function sandboxColumns(sandbox: Sandbox): Insertable<SandboxesTable> {
  return {
    id: sandbox.id,
    organization_id: sandbox.organizationId,
    workspace_id: sandbox.workspaceId,
    name: sandbox.name,
    description: sandbox.description,
    status: sandbox.status,
    metadata: json(sandbox.metadata),
    network: json(sandbox.network),
    env_vars: json(sandbox.envVars),
    secrets_mode: sandbox.secretsMode,
    requests_per_minute: sandbox.limits.requestsPerMinute,
    concurrent_max: sandbox.limits.concurrent,
    intercept_all: flag(sandbox.interceptAll),
    source_cidrs: json(sandbox.sourceCidrs),
    timeout_seconds: sandbox.timeoutSeconds,
    armed_at_ms: sandbox.armedAtMs,
    pause_at_ms: pauseAtMs(sandbox),
    auto_delete_seconds: sandbox.autoDeleteSeconds,
    paused_at_ms: sandbox.pausedAtMs,
    auto_delete_at_ms: sandbox.autoDeleteAtMs,
    expires_at_ms: sandbox.expiresAtMs,
    created_at_ms: sandbox.createdAtMs,
    updated_at_ms: sandbox.updatedAtMs,
    created_by: sandbox.createdBy,
    revision: sandbox.revision,
  };
}

export function sandboxOf(row: Selectable<SandboxesTable>): Sandbox {
  return {
    id: row.id,
    organizationId: row.organization_id,
    workspaceId: row.workspace_id,
    name: row.name,
    description: row.description,
    status: row.status as SandboxStatus,
    metadata: fromJson(row.metadata) as Record<string, string>,
    network: fromJson(row.network) as NetworkConfig,
    envVars: fromJson(row.env_vars) as Record<string, string>,
    secretsMode: row.secrets_mode as Sandbox['secretsMode'],
    limits: { requestsPerMinute: row.requests_per_minute, concurrent: row.concurrent_max },
    interceptAll: row.intercept_all === 1,
    sourceCidrs: fromJson(row.source_cidrs) as readonly string[],
    timeoutSeconds: row.timeout_seconds,
    armedAtMs: row.armed_at_ms,
    autoDeleteSeconds: row.auto_delete_seconds,
    pausedAtMs: row.paused_at_ms,
    autoDeleteAtMs: row.auto_delete_at_ms,
    expiresAtMs: row.expires_at_ms,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    createdBy: row.created_by,
    revision: row.revision,
  };
}

export function bindingColumns(binding: Binding): Insertable<BindingsTable> {
  return {
    id: binding.id,
    organization_id: binding.organizationId,
    sandbox_id: binding.sandboxId,
    secret_id: binding.secretId,
    env_key: binding.envKey,
    inject: binding.inject,
    placeholder: binding.placeholder,
    created_at_ms: binding.createdAtMs,
    detached_at_ms: binding.detachedAtMs,
    pinned_version: binding.pinnedVersion ?? null,
  };
}

export function bindingOf(row: Selectable<BindingsTable>): Binding {
  return {
    id: row.id,
    organizationId: row.organization_id,
    sandboxId: row.sandbox_id,
    secretId: row.secret_id,
    envKey: row.env_key,
    inject: row.inject as Inject,
    placeholder: row.placeholder,
    createdAtMs: row.created_at_ms,
    detachedAtMs: row.detached_at_ms,
    ...(row.pinned_version === null ? {} : { pinnedVersion: row.pinned_version }),
  };
}

export function tokenColumns(token: SandboxToken): Insertable<SandboxTokensTable> {
  return {
    token_hash: token.tokenHash,
    organization_id: token.organizationId,
    sandbox_id: token.sandboxId,
    created_at_ms: token.createdAtMs,
    valid_until_ms: token.validUntilMs,
  };
}

function pauseAtMs(sandbox: Sandbox): number | null {
  if (sandbox.status !== 'active' || sandbox.timeoutSeconds === null) return null;
  return sandbox.armedAtMs + sandbox.timeoutSeconds * 1_000;
}
