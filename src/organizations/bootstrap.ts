/**
 * The first start: organization `default`, workspace `default` and one admin key, which is minted and
 * returned to be printed once, or taken from the environment. Later starts change nothing.
 */
import type { Clock } from '../kernel/clock.ts';
import { ControlError, StartError } from '../kernel/errors.ts';
import { hashToken, mintId, mintToken } from '../kernel/ids.ts';
import type { OrganizationStore } from './organization-store.ts';
import type { Organization } from './organization.ts';

export interface BootstrapOptions {
  readonly organizations: OrganizationStore;
  readonly clock: Clock;
  /** `SALLYPORT_BOOTSTRAP_KEY`; `null`: mint one. */
  readonly bootstrapKey: string | null;
}

/** Names of what the first start makes. */
export const DEFAULT_NAME = 'default';

/** A header carries it, and it must not be guessable by hand. */
const CHOSEN_KEY = /^[\x21-\x7e]{8,512}$/;

export function isUsableKey(key: string): boolean {
  return CHOSEN_KEY.test(key);
}

/** The beginning, to recognize it in a list; of a short one less. */
export function showPrefix(key: string): string {
  return key.slice(0, Math.min(12, Math.floor(key.length / 2)));
}

/** The key to print once; `null` when there is nothing to print. StartError for an unusable key. */
export async function bootstrapOrganization(
  options: BootstrapOptions,
): Promise<{ readonly adminKey: string | null }> {
  const { organizations, clock, bootstrapKey } = options;
  const organization = await findOrCreateDefault(organizations, clock.nowMs());
  // Not "is it new": a start that died between the two writes must not lock everybody out. The last
  // admin key cannot be deleted, so this is true only before the first one exists.
  if ((await organizations.listApiKeys(organization.id)).length > 0) return { adminKey: null };
  if (bootstrapKey !== null && !isUsableKey(bootstrapKey)) {
    throw new StartError(
      'SALLYPORT_BOOTSTRAP_KEY cannot be used as an API key.',
      'Use 8 to 512 printable ASCII characters without spaces, for example sp_live_ and 43 random ones.',
    );
  }
  const key = bootstrapKey ?? mintToken('sp_live_');
  await organizations.insertApiKey({
    id: mintId(),
    organizationId: organization.id,
    name: 'bootstrap',
    role: 'admin',
    subject: 'serviceaccount:bootstrap',
    keyHash: hashToken(key),
    keyPrefix: showPrefix(key),
    workspaceIds: null,
    secretIds: null,
    createdAtMs: clock.nowMs(),
    createdBy: 'bootstrap',
    expiresAtMs: null,
    lastUsedAtMs: null,
  });
  return { adminKey: bootstrapKey === null ? key : null };
}

async function findOrCreateDefault(
  organizations: OrganizationStore,
  createdAtMs: number,
): Promise<Organization> {
  const existing = (await organizations.listOrganizations())[0];
  if (existing !== undefined) return existing;
  const organization = { id: mintId(), name: DEFAULT_NAME, createdAtMs };
  const organizationId = organization.id;
  try {
    const workspace = { id: mintId(), organizationId, name: DEFAULT_NAME, createdAtMs };
    await organizations.insertOrganization(organization, workspace);
    return organization;
  } catch (cause) {
    // Another node on the same database was faster: its organization is the one.
    const theirs = await organizations.readOrganization(DEFAULT_NAME);
    if (cause instanceof ControlError && cause.code === 'conflict' && theirs) return theirs;
    throw cause;
  }
}
