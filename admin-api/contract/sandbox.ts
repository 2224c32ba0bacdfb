/**
 * Sandboxes on the wire: what is accepted, what is answered, and the translation to the domain.
 * `proxy_token` is what authenticates to the proxy and is shown once; `access_token` satisfies
 * Superserve's SDK and opens nothing here.
 */
import { z } from '@hono/zod-openapi';
import type { SandboxChange, SandboxInput } from '../../src/sandboxes/sandbox-input.ts';
import {
  AUTO_DELETE_SECONDS_MAX,
  CONCURRENT_MAX,
  DURATION_SECONDS_MAX,
  REQUESTS_PER_MINUTE_MAX,
} from '../../src/sandboxes/sandbox-rules.ts';
import type { SandboxRow } from '../../src/sandboxes/sandbox-store.ts';
import {
  formatOptionalTime,
  formatTime,
  optional,
  queryNumber,
  textMap,
  timeInput,
  timeOutput,
  uuid,
} from './fields.ts';

const texts = z.array(z.string());
const status = z.enum(['active', 'paused']);
const inject = z.enum(['auto', 'placeholder']);
const duration = z.int().min(1).max(DURATION_SECONDS_MAX);
const autoDelete = z.int().min(0).max(AUTO_DELETE_SECONDS_MAX);
const network = z
  .strictObject({ allow_out: optional(texts), deny_out: optional(texts) })
  .transform((given) => ({ allowOut: given.allow_out, denyOut: given.deny_out }))
  .openapi('NetworkConfig');

const limits = z
  .strictObject({
    requests_per_minute: z.int().min(1).max(REQUESTS_PER_MINUTE_MAX).nullish(),
    concurrent: z.int().min(1).max(CONCURRENT_MAX).nullish(),
  })
  .transform((given) => ({
    requestsPerMinute: given.requests_per_minute,
    concurrent: given.concurrent,
  }))
  .openapi('SandboxLimits', {
    description: 'Beyond them the proxy answers 429. null, or absent on creation: no limit.',
  });

export const sandboxCreateSchema = z
  .strictObject({
    name: z.string(),
    description: optional(z.string().max(2_048)),
    metadata: optional(textMap),
    secrets: optional(textMap).openapi({ description: 'Environment variable → secret name.' }),
    network: optional(network),
    timeout_seconds: optional(duration),
    auto_delete_seconds: optional(autoDelete),
    env_vars: optional(textMap),
    workspace: optional(z.string()),
    ttl_seconds: optional(duration),
    expires_at: optional(timeInput),
    source_cidrs: optional(texts),
    intercept: optional(z.enum(['auto', 'all'])),
    secrets_mode: optional(z.enum(['bound', 'all'])).openapi({
      description:
        'all: every secret its workspace may use is injected by host, without variables. Role admin.',
    }),
    limits: optional(limits),
    from_template: optional(z.unknown()).openapi({ description: 'Accepted without effect.' }),
    from_snapshot: optional(z.unknown()).openapi({ description: 'Accepted without effect.' }),
    preview_access: optional(z.unknown()).openapi({ description: 'Accepted without effect.' }),
  })
  .openapi('SandboxCreate', {
    example: {
      name: 'agent-7',
      secrets: { OPENAI_API_KEY: 'openai' },
      network: { allow_out: ['api.openai.com', '*.example.com'] },
      metadata: { team: 'research' },
      limits: { requests_per_minute: 600 },
      ttl_seconds: 86_400,
    },
  });

export const sandboxPatchSchema = z
  .strictObject({
    name: optional(z.string()),
    metadata: optional(textMap),
    network: optional(network),
    timeout_seconds: duration.nullish().openapi({ description: 'null clears it.' }),
    auto_delete_seconds: autoDelete.nullish().openapi({ description: 'null clears it.' }),
    limits: limits.nullish().openapi({ description: 'null clears both.' }),
  })
  .openapi('SandboxPatch', {
    example: { metadata: { team: 'search' }, timeout_seconds: null },
  });

export const sandboxListQuery = z
  .object({
    status: status.optional(),
    limit: queryNumber(1, 1_000).optional(),
    offset: queryNumber(0, 999_999_999).optional(),
  })
  .catchall(z.string());

/** Absent: the binding follows the active version. */
const pinnedVersion = z.int().optional().openapi({ description: 'Where one was asked for.' });

export const bindingCreateSchema = z
  .strictObject({ env_key: z.string(), secret_name: z.string(), inject: optional(inject) })
  .openapi('BindingCreate', {
    example: { env_key: 'OPENAI_KEY', secret_name: 'openai' },
  });

export const bindingSchema = z
  .object({
    env_key: z.string(),
    secret_name: z.string(),
    placeholder: z.string(),
    inject,
    version: pinnedVersion,
  })
  .openapi('Binding');

export const tokenCreateSchema = z
  .strictObject({ overlap_seconds: optional(z.int().min(0).max(86_400)) })
  .openapi('TokenCreate', {
    example: { overlap_seconds: 60 },
  });

export const tokenSchema = z.object({ proxy_token: z.string() }).openapi('ProxyToken');

export const sandboxSchema = z
  .object({
    id: uuid,
    name: z.string(),
    status,
    metadata: textMap,
    created_at: timeOutput,
    secrets: z.array(
      z.object({
        env_key: z.string(),
        secret_name: z.string(),
        revoked: z.boolean(),
        placeholder: z.string(),
        inject,
        version: pinnedVersion,
      }),
    ),
    network: z.object({ allow_out: texts, deny_out: texts }),
    timeout_seconds: z.int().nullable(),
    auto_delete_seconds: z.int().nullable(),
    auto_delete_at: timeOutput.nullable(),
    vcpu_count: z.int(),
    memory_mib: z.int(),
    description: z.string().nullable(),
    updated_at: timeOutput,
    workspace_id: uuid,
    expires_at: timeOutput.nullable(),
    source_cidrs: texts,
    intercept: z.enum(['auto', 'all']),
    secrets_mode: z.enum(['bound', 'all']),
    limits: z.object({
      requests_per_minute: z.int().nullable(),
      concurrent: z.int().nullable(),
    }),
    env_vars: textMap,
  })
  .openapi('Sandbox');

export const activatedSandboxSchema = sandboxSchema
  .extend({ access_token: z.string() })
  .openapi('ActivatedSandbox');

export const createdSandboxSchema = activatedSandboxSchema
  .extend({
    proxy_token: z.string(),
    env: textMap,
    files: textMap.openapi({ description: 'Path → PEM text, where env points to.' }),
    warnings: texts,
  })
  .openapi('CreatedSandbox');

export function sandboxInputOf(body: z.output<typeof sandboxCreateSchema>): SandboxInput {
  return {
    name: body.name,
    description: body.description,
    metadata: body.metadata,
    secrets: body.secrets,
    network: body.network,
    timeoutSeconds: body.timeout_seconds,
    autoDeleteSeconds: body.auto_delete_seconds,
    envVars: body.env_vars,
    workspace: body.workspace,
    ttlSeconds: body.ttl_seconds,
    expiresAtMs: body.expires_at,
    sourceCidrs: body.source_cidrs,
    interceptAll: body.intercept === 'all',
    secretsMode: body.secrets_mode,
    limits: body.limits,
  };
}

/** What was accepted without effect, one sentence each. */
export function warningsOf(body: z.output<typeof sandboxCreateSchema>): string[] {
  return (['from_template', 'from_snapshot', 'preview_access'] as const)
    .filter((field) => body[field] !== undefined)
    .map((field) => `${field} has no effect here: Sallyport runs no machines`);
}

export function sandboxChangeOf(body: z.output<typeof sandboxPatchSchema>): SandboxChange {
  return {
    name: body.name,
    metadata: body.metadata,
    network: body.network,
    timeoutSeconds: body.timeout_seconds,
    autoDeleteSeconds: body.auto_delete_seconds,
    limits: body.limits,
  };
}

export function describeSandbox(row: SandboxRow): z.infer<typeof sandboxSchema> {
  const { sandbox, bindings } = row;
  return {
    id: sandbox.id,
    name: sandbox.name,
    status: sandbox.status,
    metadata: sandbox.metadata,
    created_at: formatTime(sandbox.createdAtMs),
    secrets: bindings.map(({ binding, secretName, revoked }) => ({
      env_key: binding.envKey,
      secret_name: secretName,
      revoked,
      placeholder: binding.placeholder,
      inject: binding.inject,
      version: binding.pinnedVersion,
    })),
    network: {
      allow_out: [...sandbox.network.allowOut],
      deny_out: [...sandbox.network.denyOut],
    },
    timeout_seconds: sandbox.timeoutSeconds,
    auto_delete_seconds: sandbox.autoDeleteSeconds,
    auto_delete_at: formatOptionalTime(sandbox.autoDeleteAtMs),
    vcpu_count: 0,
    memory_mib: 0,
    description: sandbox.description,
    updated_at: formatTime(sandbox.updatedAtMs),
    workspace_id: sandbox.workspaceId,
    expires_at: formatOptionalTime(sandbox.expiresAtMs),
    source_cidrs: [...sandbox.sourceCidrs],
    intercept: sandbox.interceptAll ? 'all' : 'auto',
    secrets_mode: sandbox.secretsMode,
    limits: {
      requests_per_minute: sandbox.limits.requestsPerMinute,
      concurrent: sandbox.limits.concurrent,
    },
    env_vars: sandbox.envVars,
  };
}
