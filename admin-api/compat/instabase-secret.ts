/** Secrets as Instabase AI Hub spells them. `alias` is the name; times are Unix milliseconds. */
import { z } from '@hono/zod-openapi';
import type { Organization } from '../../src/organizations/organization.ts';
import type { SecretInput } from '../../src/secrets/secret-input.ts';
import type { Secret } from '../../src/secrets/secret.ts';
import { optional } from '../contract/fields.ts';
import { auth, hosts, provider, providerParams, storedValue } from './placement.ts';

const description = optional(z.string().max(2_048));
const workspacesType = z.enum(['ALL', 'SOME', 'NONE']);
const workspaces = optional(z.array(z.string()).max(1_000)).openapi({
  description: 'Ids or names; only looked at for SOME.',
});
const placement = { provider, provider_params: providerParams, auth, hosts };

export const aliasCreateSchema = z
  .strictObject({
    alias: z
      .string()
      .regex(/^[A-Za-z0-9_]{1,128}$/, 'must be 1 to 128 letters, digits or underscores'),
    value: storedValue,
    description,
    allowed_workspaces_type: workspacesType,
    allowed_workspaces: workspaces,
    ...placement,
  })
  .openapi('InstabaseSecretCreate', {
    example: {
      alias: 'my_secret',
      description: 'Of the research team',
      value: 'not-a-real-key-0001',
      allowed_workspaces_type: 'SOME',
      allowed_workspaces: ['workspace1', 'workspace2'],
    },
  });

export const aliasPatchSchema = z
  .strictObject({
    alias: z.string(),
    value: optional(storedValue),
    description,
    allowed_workspaces_type: optional(workspacesType),
    allowed_workspaces: workspaces,
    ...placement,
  })
  .openapi('InstabaseSecretPatch', {
    example: { alias: 'my_secret', value: 'not-a-real-key-0002', allowed_workspaces_type: 'ALL' },
  });

export const aliasDeleteSchema = z
  .strictObject({ alias: z.string() })
  .openapi('InstabaseSecretDelete', {
    example: { alias: 'my_secret' },
  });

export const aliasListQuery = z.strictObject({
  workspace: z.string().optional(),
  alias: z.string().optional(),
});

const aliasSchema = z
  .object({
    alias: z.string(),
    description: z.string().nullable(),
    allowed_workspaces_type: workspacesType,
    allowed_workspaces: z.array(z.string()),
    org: z.string(),
    created_at: z.int(),
    created_by: z.string(),
    updated_at: z.int(),
    last_updated_by: z.string(),
  })
  .openapi('InstabaseSecret');

export const aliasListSchema = z
  .object({ secrets: z.array(aliasSchema) })
  .openapi('InstabaseSecretList');

export const nothingSchema = z.object({}).openapi('InstabaseNothing');

export function aliasInputOf(body: z.output<typeof aliasPatchSchema>): SecretInput {
  return {
    value: body.value,
    description: body.description,
    allowedWorkspacesType: body.allowed_workspaces_type,
    allowedWorkspaces: body.allowed_workspaces,
    provider: body.provider,
    providerParams: body.provider_params,
    auth: body.auth,
    hosts: body.hosts,
  };
}

/** `workspaceNames`: id → name; what is gone since is left out. */
export function describeAlias(
  secret: Secret,
  organization: Organization,
  workspaceNames: ReadonlyMap<string, string>,
): z.infer<typeof aliasSchema> {
  return {
    alias: secret.name,
    description: secret.description,
    allowed_workspaces_type: secret.allowedWorkspacesType,
    allowed_workspaces: secret.allowedWorkspaces.flatMap((id) => workspaceNames.get(id) ?? []),
    org: organization.name,
    created_at: secret.createdAtMs,
    created_by: secret.createdBy,
    updated_at: secret.updatedAtMs,
    last_updated_by: secret.updatedBy,
  };
}
