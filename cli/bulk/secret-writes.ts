/**
 * Making a secret through the face that can: the native API, Instabase's for one that is not placed yet,
 * TrueFoundry's for a key in a group. What such a face cannot say follows in a native change.
 */
import type { SecretAnswer } from '../../admin-api/contract/bulk-document.ts';
import type { Hidden } from '../../src/kernel/hidden.ts';
import { BLANK_DEFINITION } from '../../src/secrets/secret-definition.ts';
import { splitName } from '../../src/secrets/secret-reference.ts';
import type { SecretDefinition } from '../../src/secrets/secret.ts';
import { decideWidening } from '../../src/secrets/widening.ts';
import type { AdminClient } from '../admin-client.ts';
import { CommandFault } from '../command-fault.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { changedFields, placementFields } from './secret-fields.ts';
import { GROUPS_PATH, type GroupAnswer } from './state.ts';

const ALIASES_PATH = '/api/v2/aihub/secrets';

export function secretPath(name: string): string {
  return `/secrets/${encodeURIComponent(name)}`;
}

/** `definition` names workspaces by name. CommandFault as every call of the client. */
export async function createSecret(
  admin: AdminClient,
  name: string,
  definition: SecretDefinition,
  value: Hidden,
): Promise<void> {
  const doing = `creating secret ${name}`;
  if (name.includes(':')) {
    await createKey(admin, name, definition, value);
    return patchRest(admin, name, placed(definition), definition, value);
  }
  if (definition.auth === null) {
    const alias = { alias: name, value: value.reveal(), allowed_workspaces_type: 'ALL' };
    await admin.post(doing, ALIASES_PATH, alias);
    return patchRest(admin, name, BLANK_DEFINITION, definition, value);
  }
  const fields = changedFields(BLANK_DEFINITION, definition);
  await admin.post<SecretAnswer>(doing, '/secrets', { name, value: value.reveal(), ...fields });
}

/** What a façade makes of a placement: the rest is as on a blank secret. */
function placed(definition: SecretDefinition): SecretDefinition {
  const { provider, providerParams, auth, hosts } = definition;
  const { alsoStrip, companionHeaders } = provider === null ? BLANK_DEFINITION : definition;
  return {
    ...BLANK_DEFINITION,
    provider,
    providerParams,
    auth,
    hosts,
    alsoStrip,
    companionHeaders,
  };
}

async function patchRest(
  admin: AdminClient,
  name: string,
  made: SecretDefinition,
  definition: SecretDefinition,
  value: Hidden,
): Promise<void> {
  const fields = changedFields(made, definition);
  if (Object.keys(fields).length === 0) return;
  if (decideWidening(made, definition).length > 0) fields['value'] = value.reveal();
  await admin.patch<SecretAnswer>(`creating secret ${name}`, secretPath(name), fields);
}

/** A group is written as its full set of keys; the others are named without a value, which keeps them. */
async function createKey(
  admin: AdminClient,
  name: string,
  definition: SecretDefinition,
  value: Hidden,
): Promise<void> {
  const { group, key } = splitName(name);
  const doing = `creating secret ${name}`;
  const found = await findGroup(admin, group, doing);
  const { provider_params: providerParams, ...placement } = placementFields(definition);
  const added = {
    key,
    value: value.reveal(),
    ...placement,
    ...(providerParams === undefined ? {} : { providerParams }),
  };
  const secrets = [...found.associatedSecrets.map((known) => ({ key: known.name })), added];
  await admin.put(doing, `${GROUPS_PATH}/${found.id}`, { secrets });
}

async function findGroup(admin: AdminClient, name: string, doing: string): Promise<GroupAnswer> {
  const path = `${GROUPS_PATH}?limit=1000&search=${encodeURIComponent(name)}`;
  const { data } = await admin.get<{ readonly data: readonly GroupAnswer[] }>(doing, path);
  const found = data.find((group) => group.name === name);
  if (found !== undefined) return found;
  throw new CommandFault(`there is no group ${name}`, { doing, exitCode: EXIT_CODES.notFound });
}
