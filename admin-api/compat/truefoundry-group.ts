/** Groups of secrets as TrueFoundry spells them: what is accepted, and the translation to the domain. */
import { z } from '@hono/zod-openapi';
import type { GroupInput, KeyInput } from '../../src/groups/group-input.ts';
import { GROUP_ROLES, type GroupManifest } from '../../src/groups/secret-group.ts';
import { optional, queryNumber } from '../contract/fields.ts';
import { auth, hosts, provider, providerParams, storedValue } from './placement.ts';

const KEYS_MAX = 1_000;
const placement = { provider, providerParams, auth, hosts };

const newKey = z
  .strictObject({ key: z.string(), value: storedValue, ...placement })
  .openapi('TrueFoundrySecretInput');
const keptKey = z
  .strictObject({ key: z.string(), value: optional(storedValue), ...placement })
  .openapi('TrueFoundryUpdateSecretInput');

export const groupCreateSchema = z
  .strictObject({
    name: z.string(),
    integrationId: optional(z.string().max(512)),
    secrets: z.array(newKey).max(KEYS_MAX),
  })
  .openapi('TrueFoundrySecretGroupCreate', {
    example: {
      name: 'my-group',
      secrets: [{ key: 'my-key', value: 'not-a-real-key-0001' }],
    },
  });

export const groupSecretsSchema = z
  .strictObject({ secrets: z.array(keptKey).max(KEYS_MAX) })
  .openapi('TrueFoundrySecretGroupUpdate', {
    example: {
      secrets: [{ key: 'my-key' }, { key: 'my-other-key', value: 'not-a-real-key-0002' }],
    },
  });

const manifestSchema = z
  .strictObject({
    type: z.literal('secret-group'),
    name: z.string(),
    integration_fqn: optional(z.string().max(512)),
    collaborators: optional(
      z.array(z.strictObject({ subject: z.string(), role_id: z.enum(GROUP_ROLES) })).max(KEYS_MAX),
    ),
    ownedBy: optional(z.strictObject({ account: z.string().max(512) })),
  })
  .openapi('TrueFoundrySecretGroupManifest');

export const groupManifestSchema = z
  .strictObject({ manifest: manifestSchema, dryRun: optional(z.boolean()) })
  .openapi('TrueFoundrySecretGroupPut', {
    example: {
      manifest: {
        type: 'secret-group',
        name: 'my-group',
        collaborators: [{ subject: 'user:ann', role_id: 'secret-group-viewer' }],
      },
    },
  });

export const groupListQuery = z.strictObject({
  limit: queryNumber(1, 1_000).optional(),
  offset: queryNumber(0, 999_999_999).optional(),
  fqn: z.string().optional(),
  search: z.string().max(256).optional(),
  attributes: z.string().optional().openapi({ description: 'Accepted; every attribute is shown.' }),
});

const forced = z.enum(['true', 'false']).optional();

/** There is no other store that could keep what is deleted here, so forcing changes nothing. */
export const deleteQuery = z.strictObject({ forceDelete: forced });

export function groupInputOf(body: z.output<typeof groupCreateSchema>): GroupInput {
  return {
    name: body.name,
    integrationId: body.integrationId ?? null,
    secrets: keyInputsOf(body.secrets),
  };
}

export function keyInputsOf(secrets: z.output<typeof groupSecretsSchema>['secrets']): KeyInput[] {
  return secrets.map(({ key, ...input }) => ({ key, input }));
}

export function manifestOf(manifest: z.output<typeof manifestSchema>): GroupManifest {
  const { collaborators } = manifest;
  return {
    name: manifest.name,
    integrationFqn: manifest.integration_fqn ?? null,
    collaborators: collaborators?.map(({ subject, role_id: role }) => ({ subject, role })) ?? null,
    ownerAccount: manifest.ownedBy?.account ?? null,
  };
}

/** As it was put: what was left out stays out. */
export function describeManifest(manifest: GroupManifest): Record<string, unknown> {
  const { name, integrationFqn, collaborators, ownerAccount } = manifest;
  return {
    type: 'secret-group',
    name,
    ...(integrationFqn === null ? {} : { integration_fqn: integrationFqn }),
    ...(collaborators === null
      ? {}
      : {
          collaborators: collaborators.map(({ subject, role }) => ({ subject, role_id: role })),
        }),
    ...(ownerAccount === null ? {} : { ownedBy: { account: ownerAccount } }),
  };
}
