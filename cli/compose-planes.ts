/**
 * The composition root, second half: the services, the data plane, the control plane, the clock's work on
 * sandboxes, on an open core.
 */
import { bootstrapOrganization } from '../src/organizations/bootstrap.ts';
import { settleRootKey } from '../src/organizations/root-key.ts';
import { parseHostPattern } from '../src/policy/host-pattern.ts';
import { startSandboxLifecycle } from '../src/sandboxes/sandbox-lifecycle.ts';
import type { Settings } from '../src/settings/settings.ts';
import { formatAddress } from './bound-address.ts';
import { startAdminPlane } from './compose-admin-plane.ts';
import type { Core } from './compose-core.ts';
import { composeDataPlane } from './compose-data-plane.ts';
import type { ComposedDataPlane } from './compose-data-plane.ts';
import { composeParentCredentials } from './compose-parent-credentials.ts';
import { composeServices } from './compose-services.ts';
import { composeWebhooks } from './compose-webhooks.ts';
import type { Sallyport } from './sallyport.ts';

export interface PlaneParts {
  readonly settings: Settings;
  readonly core: Core;
  /** Called in reverse order when everything ends, or when starting fails half-way. */
  readonly closers: (() => Promise<void>)[];
  /** `SALLYPORT_BOOTSTRAP_KEY`. */
  readonly bootstrapKey: string | null;
  /** `SALLYPORT_ROOT_KEY`. */
  readonly rootKey?: string | null;
}

/** Rejects with StartError; what was opened is in `closers`. */
export async function startPlanes({
  settings,
  core,
  closers,
  bootstrapKey,
  rootKey = null,
}: PlaneParts): Promise<Sallyport> {
  const neverIntercept = settings.egress.neverIntercept.map((text) =>
    parseHostPattern(text, 'any'),
  );
  const services = composeServices(settings, core, neverIntercept);
  const webhooks = await composeWebhooks({
    settings,
    core,
    activity: services.activity,
    post: (request) => dataPlane.post(request),
  });
  closers.push(() => webhooks.close());
  const dataPlane = await composeDataPlane({
    ...core,
    settings,
    opener: core.vault,
    publicPrefixes: services.catalogue.list().map(({ tokenShape }) => tokenShape.prefix),
    neverIntercept,
    parentCredentials: composeParentCredentials(settings, { ...core, opener: core.vault }),
  });
  closers.push(
    () => dataPlane.close(),
    () => webhooks.stop(),
  );
  webhooks.start();
  const lifecycle = startSandboxLifecycle({
    store: core.store.sandboxes,
    changes: core.feed,
    clock: core.clock,
    logger: core.logger,
  });
  closers.push(
    () => lifecycle.close(),
    () => services.apiKeys.close(),
  );
  core.metrics.observe({
    upstreamConnections: () => dataPlane.upstreamConnections(),
    auditQueue: () => core.trail.queued,
    policyAgeSeconds: () => core.feed.policyAgeSeconds(),
    caEndSeconds: () => core.authority.notAfterMs / 1_000,
  });
  const proxyAddress = formatAddress(dataPlane.proxy.address);
  closers.push(async () => {
    services.caRotation.close();
  });
  const adminAddress = await startAdminPlane({
    settings,
    core,
    services,
    dataPlane,
    webhooks: webhooks.service,
    neverIntercept,
    closers,
  });
  // Last: a start that fails, on a taken port say, must not have minted a key that nobody was shown.
  const { adminKey } = await bootstrapOrganization({
    organizations: core.store.organizations,
    clock: core.clock,
    bootstrapKey,
  });
  if (rootKey !== null) {
    await settleRootKey({ organizations: core.store.organizations, clock: core.clock }, rootKey);
  }
  return {
    proxyAddress,
    proxyTlsAddress:
      dataPlane.proxy.tlsAddress === null ? null : formatAddress(dataPlane.proxy.tlsAddress),
    adminAddress,
    adminKey,
    close: closeOnce(dataPlane, closers),
  };
}

/** Reverse order of opening; a second call with `hasten` ends the drain of the first. */
function closeOnce(
  dataPlane: ComposedDataPlane,
  closers: readonly (() => Promise<void>)[],
): Sallyport['close'] {
  let closing: Promise<void> | null = null;
  const closeAll = async (): Promise<void> => {
    for (const close of closers.toReversed()) await close();
  };
  return async ({ hasten = false } = {}) => {
    closing ??= closeAll();
    if (hasten) void dataPlane.proxy.close();
    await closing;
  };
}
