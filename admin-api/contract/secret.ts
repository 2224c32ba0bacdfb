/**
 * Secrets on the wire: what is accepted, what is answered, and the translation to the domain. A value goes
 * in and is in no answer.
 */
import { z } from '@hono/zod-openapi';
import { Hidden } from '../../src/kernel/hidden.ts';
import { FIXED } from '../../src/kernel/limits.ts';
import type { SecretInput } from '../../src/secrets/secret-input.ts';
import type { SecretBindingRow, SecretRow } from '../../src/secrets/secret-store.ts';
import {
  authKindSchema,
  authSchema,
  authTypeSchema,
  describeAuth,
  describeAuthKind,
} from './auth.ts';
import { describeHealth, healthFields, overlapEndOf } from './version.ts';
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
const onExisting = z.enum(['replace', 'keep']);
const allowedWorkspacesType = z.enum(['ALL', 'SOME', 'NONE']);
const value = z
  .string()
  .transform((text) => new Hidden(text))
  .openapi({
    type: 'string',
    description:
      'Cleartext, 1 to 8192 bytes; for `mtls` the PEM of a certificate chain and its key, up to 32768. Never trimmed, never shown.',
    writeOnly: true,
  });

const settings = {
  description: optional(z.string().max(2_048)),
  provider: optional(z.string().trim()).openapi({ description: 'Instead of auth and hosts.' }),
  provider_params: optional(textMap),
  auth: optional(authSchema),
  hosts: optional(texts),
  ports: optional(z.array(z.int())),
  methods: optional(texts).openapi({ description: 'An empty list: every method.' }),
  paths: optional(texts).openapi({ description: 'An empty list: every path.' }),
  priority: optional(z.int().min(-1_000).max(1_000)),
  on_existing: optional(onExisting),
  also_strip: optional(
    z.strictObject({
      headers: optional(texts.max(16)),
      query: optional(texts.max(16)),
    }),
  ),
  companion_headers: optional(textMap),
  mask_responses: optional(z.boolean()),
  allow_plaintext: optional(z.boolean()),
  allowed_workspaces_type: optional(allowedWorkspacesType),
  allowed_workspaces: optional(texts.max(1_000)),
  disabled: optional(z.boolean()),
  expires_at: optional(z.union([timeInput, z.literal('')])).openapi({
    description: 'An empty text clears it.',
  }),
};

export const secretCreateSchema = z
  .strictObject({ name: z.string(), value, ...settings })
  .openapi('SecretCreate', {
    example: {
      name: 'openai',
      value: 'not-a-real-key-0001',
      auth: { type: 'bearer' },
      hosts: ['api.openai.com'],
      methods: ['GET', 'POST'],
      description: 'Of the research team',
    },
  });

export const secretPatchSchema = z
  .strictObject({
    value: optional(value),
    ...settings,
    overlap_seconds: optional(z.int().min(0).max(FIXED.rotationOverlapSecondsMax)).openapi({
      description:
        'With a value: how long the version before may serve one retry of a GET or HEAD that the origin answered 401. 0 without a value ends a running overlap.',
    }),
  })
  .openapi('SecretPatch', {
    example: { value: 'not-a-real-key-0002', overlap_seconds: 600 },
  });

export const secretListQuery = z.strictObject({
  q: z.string().max(256).optional(),
  provider: z.string().optional(),
  host: z.string().optional(),
  unused_since: timeInput.optional(),
  include: z.literal('unplaced').optional(),
  limit: queryNumber(1, 1_000).optional(),
  cursor: z.string().optional(),
});

export const secretSchema = z
  .object({
    id: uuid,
    name: z.string(),
    auth_type: authTypeSchema,
    auth_config: z.record(z.string(), z.unknown()),
    hosts: texts,
    provider_shortcut: z.string().nullable(),
    created_at: timeOutput,
    updated_at: timeOutput,
    last_used_at: timeOutput.nullable(),
    auth_kind: authKindSchema,
    usable: z.boolean(),
    last_answered_at: timeOutput.nullable(),
    description: z.string().nullable(),
    version: z.int(),
    rotated_at: timeOutput,
    provider_params: textMap,
    ports: z.array(z.int()),
    methods: texts.nullable(),
    paths: texts.nullable(),
    priority: z.int(),
    on_existing: onExisting,
    also_strip: z.object({ headers: texts, query: texts }),
    companion_headers: textMap,
    mask_responses: z.boolean(),
    allow_plaintext: z.boolean(),
    allowed_workspaces_type: allowedWorkspacesType,
    allowed_workspaces: texts,
    disabled: z.boolean(),
    expires_at: timeOutput.nullable(),
    overlap_ends_at: timeOutput.nullable(),
    ...healthFields,
  })
  .openapi('Secret');

export const createdSecretSchema = secretSchema
  .extend({ warnings: texts })
  .openapi('CreatedSecret');

export const secretSandboxSchema = z
  .object({
    sandbox_id: uuid,
    sandbox_name: z.string(),
    env_key: z.string(),
    status: z.enum(['active', 'paused']),
  })
  .openapi('SecretSandbox');

export const revealedSchema = z
  .object({ value: z.string(), version: z.int() })
  .openapi('RevealedSecret');

/** Both bodies, as the service takes them. */
export function secretInputOf(
  body: z.output<typeof secretCreateSchema> | z.output<typeof secretPatchSchema>,
): SecretInput {
  const { also_strip: strip, expires_at: expiresAt } = body;
  return {
    value: body.value,
    overlapSeconds: 'overlap_seconds' in body ? body.overlap_seconds : undefined,
    description: body.description,
    provider: body.provider,
    providerParams: body.provider_params,
    auth: body.auth,
    hosts: body.hosts,
    ports: body.ports,
    methods: body.methods,
    paths: body.paths,
    priority: body.priority,
    onExisting: body.on_existing,
    alsoStrip: strip && { headers: strip.headers ?? [], query: strip.query ?? [] },
    companionHeaders: body.companion_headers,
    maskResponses: body.mask_responses,
    allowPlaintext: body.allow_plaintext,
    allowedWorkspacesType: body.allowed_workspaces_type,
    allowedWorkspaces: body.allowed_workspaces,
    disabled: body.disabled,
    expiresAtMs: expiresAt === '' ? null : expiresAt,
  };
}

export function describeSecret(row: SecretRow, nowMs: number): z.infer<typeof secretSchema> {
  const { secret, usage, health } = row;
  const isExpired = secret.expiresAtMs !== null && secret.expiresAtMs <= nowMs;
  return {
    id: secret.id,
    name: secret.name,
    ...describeAuth(secret.auth),
    hosts: [...secret.hosts],
    provider_shortcut: secret.provider,
    created_at: formatTime(secret.createdAtMs),
    updated_at: formatTime(secret.updatedAtMs),
    last_used_at: formatOptionalTime(usage.lastUsedAtMs),
    auth_kind: describeAuthKind(secret.auth),
    usable: secret.auth !== null && !secret.disabled && !isExpired,
    last_answered_at: formatOptionalTime(usage.lastAnsweredAtMs),
    description: secret.description,
    version: secret.version,
    rotated_at: formatTime(secret.rotatedAtMs),
    provider_params: secret.providerParams,
    ports: [...secret.ports],
    methods: secret.methods && [...secret.methods],
    paths: secret.paths && [...secret.paths],
    priority: secret.priority,
    on_existing: secret.onExisting,
    also_strip: { headers: [...secret.alsoStrip.headers], query: [...secret.alsoStrip.query] },
    companion_headers: secret.companionHeaders,
    mask_responses: secret.maskResponses,
    allow_plaintext: secret.allowPlaintext,
    allowed_workspaces_type: secret.allowedWorkspacesType,
    allowed_workspaces: [...secret.allowedWorkspaces],
    disabled: secret.disabled,
    expires_at: formatOptionalTime(secret.expiresAtMs),
    overlap_ends_at: formatOptionalTime(overlapEndOf(secret, nowMs)),
    ...describeHealth(health),
  };
}

export function describeSecretSandbox(row: SecretBindingRow): z.infer<typeof secretSandboxSchema> {
  return {
    sandbox_id: row.sandboxId,
    sandbox_name: row.sandboxName,
    env_key: row.envKey,
    status: row.sandboxStatus,
  };
}
