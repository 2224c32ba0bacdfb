/**
 * Root keys, which act on any organization: no key of an organization can make one, so the first comes from
 * whoever runs the process (`SALLYPORT_ROOT_KEY`) or owns the data directory (`sallyport key create-root`).
 * Stored as a hash, in the first organization. Never logged.
 */
import type { Clock } from '../kernel/clock.ts';
import { StartError } from '../kernel/errors.ts';
import { hashToken, mintId, mintToken } from '../kernel/ids.ts';
import { isUsableKey, showPrefix } from './bootstrap.ts';
import type { OrganizationStore } from './organization-store.ts';
import type { ApiKey } from './organization.ts';

export interface RootKeyOptions {
  readonly organizations: Pick<
    OrganizationStore,
    'listOrganizations' | 'listApiKeys' | 'readApiKeyByHash' | 'insertApiKey' | 'deleteApiKey'
  >;
  readonly clock: Clock;
}

const FROM_ENVIRONMENT = 'environment';

/**
 * Makes `key` a root key. Another one that came from the environment before ends: changing the variable
 * replaces the key. StartError when it cannot be one.
 */
export async function settleRootKey(options: RootKeyOptions, key: string): Promise<void> {
  const { organizations } = options;
  if (!isUsableKey(key)) {
    throw new StartError(
      'SALLYPORT_ROOT_KEY cannot be used as an API key.',
      'Use 8 to 512 printable ASCII characters without spaces, for example sp_live_ and 43 random ones.',
    );
  }
  const existing = await organizations.readApiKeyByHash(hashToken(key));
  if (existing !== undefined && existing.role !== 'root') {
    throw new StartError(
      `SALLYPORT_ROOT_KEY is the key ${existing.name} already, whose role is ${existing.role}.`,
      'Give the root key a text of its own.',
    );
  }
  const organizationId = await firstOrganizationId(options);
  if (existing === undefined) {
    await organizations.insertApiKey(rootKey(options, organizationId, key, FROM_ENVIRONMENT));
  }
  for (const other of await organizations.listApiKeys(organizationId)) {
    const isReplaced = other.role === 'root' && other.createdBy === FROM_ENVIRONMENT;
    if (!isReplaced || other.keyHash === hashToken(key)) continue;
    await organizations.deleteApiKey(organizationId, other.id);
  }
}

/** A new root key in clear, to print once. StartError before the first start. */
export async function createRootKey(options: RootKeyOptions): Promise<string> {
  const key = mintToken('sp_live_');
  const organizationId = await firstOrganizationId(options);
  await options.organizations.insertApiKey(rootKey(options, organizationId, key, 'command line'));
  return key;
}

async function firstOrganizationId({ organizations }: RootKeyOptions): Promise<string> {
  const [first] = await organizations.listOrganizations();
  if (first !== undefined) return first.id;
  throw new StartError(
    'There is no organization in this database yet.',
    'Start the server once, then make the root key.',
  );
}

function rootKey(
  { clock }: RootKeyOptions,
  organizationId: string,
  key: string,
  createdBy: string,
): ApiKey {
  return {
    id: mintId(),
    organizationId,
    name: 'root',
    role: 'root',
    subject: 'serviceaccount:root',
    keyHash: hashToken(key),
    keyPrefix: showPrefix(key),
    workspaceIds: null,
    secretIds: null,
    createdAtMs: clock.nowMs(),
    createdBy,
    expiresAtMs: null,
    lastUsedAtMs: null,
  };
}
