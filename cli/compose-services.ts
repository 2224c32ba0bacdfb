/**
 * The services of the control plane on an open core: what admins can do, each with the store's contracts it
 * needs and nothing else.
 */
import { ActivityJournal } from '../src/activity/activity-journal.ts';
import { CaRotation } from '../src/ca/rotation.ts';
import { GroupReader } from '../src/groups/group-reader.ts';
import { GroupService } from '../src/groups/group-service.ts';
import { ApiKeyService } from '../src/organizations/api-key-service.ts';
import { OrganizationService } from '../src/organizations/organization-service.ts';
import type { HostPattern } from '../src/policy/host-pattern.ts';
import { loadCatalogue } from '../src/providers/catalogue.ts';
import { AllMode } from '../src/sandboxes/all-mode.ts';
import { BindingService } from '../src/sandboxes/binding-service.ts';
import { SandboxService } from '../src/sandboxes/sandbox-service.ts';
import { SecretBinder } from '../src/sandboxes/secret-binding.ts';
import { readSecretId } from '../src/secrets/secret-id.ts';
import { SecretRevealer } from '../src/secrets/secret-revealer.ts';
import { SecretService } from '../src/secrets/secret-service.ts';
import { SecretVersions } from '../src/secrets/secret-versions.ts';
import { VersionRetention } from '../src/secrets/version-retention.ts';
import type { Settings } from '../src/settings/settings.ts';
import type { Core } from './compose-core.ts';

export type Services = ReturnType<typeof composeServices>;

/** Nothing is read from the store yet. */
export function composeServices(
  settings: Settings,
  core: Core,
  neverIntercept: readonly HostPattern[],
) {
  const { store, clock, logger, feed: changes } = core;
  const catalogue = loadCatalogue();
  const { allowReveal, allowWidening, versionsKept } = settings.secrets;
  const retention = new VersionRetention({ store: store.secrets, logger, kept: versionsKept });
  const values = core.vault;
  const activity = new ActivityJournal({ store: store.activity, clock, logger });
  const caRotation = new CaRotation({
    authority: core.authority,
    activity,
    clock,
    logger,
    overlapMs: settings.ca.rotationOverlapMs,
  });
  const revealer = new SecretRevealer({
    secrets: store.secrets,
    values,
    activity,
    logger,
    allowReveal,
  });
  const secrets = new SecretService({
    store: store.secrets,
    retention,
    organizations: store.organizations,
    audit: store.audit,
    usage: core.usage,
    catalogue,
    sealer: core.vault,
    changes,
    activity,
    clock,
    logger,
    allowWidening,
    neverIntercept,
    bindings: store.secrets,
    revealer,
  });
  const { organizations } = store;
  const binder = new SecretBinder({
    secrets: store.secrets,
    organizations,
    catalogue,
    neverIntercept,
  });
  const allMode = new AllMode({ store: store.sandboxes, policy: core.feed });
  const sandboxes = new SandboxService({
    store: store.sandboxes,
    organizations,
    binder,
    allMode,
    changes,
    activity,
    clock,
  });
  const bindings = new BindingService({
    store: store.sandboxes,
    sandboxes,
    binder,
    changes,
    activity,
    clock,
  });
  const apiKeys = new ApiKeyService({
    store: organizations,
    readSecretId: (...named) => readSecretId(store.secrets, ...named),
    activity,
    clock,
    logger,
  });
  const tenants = new OrganizationService({ store: organizations, changes, activity, clock });
  const versions = new SecretVersions({
    store: store.secrets,
    organizations: store.organizations,
    usage: core.usage,
    changes,
    activity,
    clock,
  });
  const groups = new GroupService({
    store: store.groups,
    retention,
    secrets: store.secrets,
    organizations,
    values,
    logger,
    catalogue,
    sealer: core.vault,
    changes,
    activity,
    clock,
    allowWidening,
    neverIntercept,
    bindings: store.secrets,
  });
  const groupReader = new GroupReader({ store: store.groups, organizations, revealer });
  return {
    secrets,
    versions,
    sandboxes,
    allMode,
    bindings,
    apiKeys,
    tenants,
    groups,
    groupReader,
    catalogue,
    activity,
    caRotation,
  };
}
