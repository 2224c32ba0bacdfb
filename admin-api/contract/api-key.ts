/** API keys on the wire. The key itself is in one answer only: that of its creation. */
import { z } from '@hono/zod-openapi';
import type { ApiKeyInput } from '../../src/organizations/api-key-service.ts';
import type { ApiKey } from '../../src/organizations/organization.ts';
import { formatOptionalTime, formatTime, optional, timeInput, timeOutput, uuid } from './fields.ts';

const role = z.enum(['root', 'admin', 'operator', 'viewer']);
const texts = z.array(z.string());

export const apiKeyCreateSchema = z
  .strictObject({
    name: z.string().trim().min(1).max(128),
    role: optional(role).openapi({ description: 'Default: admin.' }),
    subject: optional(z.string().regex(/^(?:user|serviceaccount):[\x21-\x7e]{1,128}$/)),
    workspaces: optional(texts.max(1_000)).openapi({ description: 'Ids or names; absent: all.' }),
    secret_ids: optional(texts.max(1_000)).openapi({
      description: 'Ids or names; absent: all.',
    }),
    expires_at: optional(timeInput),
  })
  .openapi('ApiKeyCreate', {
    example: { name: 'ci', role: 'operator', subject: 'serviceaccount:ci' },
  });

export const apiKeySchema = z
  .object({
    id: uuid,
    name: z.string(),
    role,
    subject: z.string(),
    key_prefix: z.string(),
    workspaces: texts.nullable(),
    secret_ids: texts.nullable(),
    created_at: timeOutput,
    created_by: z.string(),
    expires_at: timeOutput.nullable(),
    last_used_at: timeOutput.nullable(),
  })
  .openapi('ApiKey');

export const createdApiKeySchema = apiKeySchema
  .extend({ key: z.string() })
  .openapi('CreatedApiKey');

export function apiKeyInputOf(body: z.output<typeof apiKeyCreateSchema>): ApiKeyInput {
  return {
    name: body.name,
    role: body.role ?? 'admin',
    subject: body.subject,
    workspaces: body.workspaces,
    secretIds: body.secret_ids,
    expiresAtMs: body.expires_at,
  };
}

export function describeApiKey(key: ApiKey): z.infer<typeof apiKeySchema> {
  return {
    id: key.id,
    name: key.name,
    role: key.role,
    subject: key.subject,
    key_prefix: key.keyPrefix,
    workspaces: key.workspaceIds && [...key.workspaceIds],
    secret_ids: key.secretIds && [...key.secretIds],
    created_at: formatTime(key.createdAtMs),
    created_by: key.createdBy,
    expires_at: formatOptionalTime(key.expiresAtMs),
    last_used_at: formatOptionalTime(key.lastUsedAtMs),
  };
}
