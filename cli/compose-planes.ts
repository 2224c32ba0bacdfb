/**
 * The composition root, second half: the services, the data plane, the control plane, the clock's work on
 * sandboxes, on an open core.
 */
import { readFileSync } from 'node:fs';
import { startAdmin } from '../admin-api/start.ts';
import { createAdminHandler } from '../admin-api/handler.ts';
import { createMetricsHandler } from '../admin-api/metrics-handler.ts';
import { ActivityJournal } from '../src/activity/activity-journal.ts';
import { AuditLog } from '../src/audit/audit-log.ts';
import { ChainVerifier } from '../src/audit/chain-verifier.ts';
import { LiveFeed } from '../src/audit/live-feed.ts';
import { makeBundle } from '../src/ca/bundle.ts';
import { CaRotation } from '../src/ca/rotation.ts';
import { systemBundlePem } from '../src/egress/trust.ts';
import { GroupReader } from '../src/groups/group-reader.ts';
import { GroupService } from '../src/groups/group-service.ts';
import { StartError } from '../src/kernel/errors.ts';
import { ApiKeyService } from '../src/organizations/api-key-service.ts';
import { bootstrapOrganization } from '../src/organizations/bootstrap.ts';
import { OrganizationService } from '../src/organizations/organization-service.ts';
import { settleRootKey } from '../src/organizations/root-key.ts';
import { parseHostPattern } from '../src/policy/host-pattern.ts';
import type { HostPattern } from '../src/policy/host-pattern.ts';
import { loadCatalogue } from '../src/providers/catalogue.ts';
import { AllMode } from '../src/sandboxes/all-mode.ts';
import { BindingService } from '../src/sandboxes/binding-service.ts';
import { startSandboxLifecycle } from '../src/sandboxes/sandbox-lifecycle.ts';
import { SandboxService } from '../src/sandboxes/sandbox-service.ts';
import { SecretBinder } from '../src/sandboxes/secret-binding.ts';
import { readSecretId } from '../src/secrets/secret-id.ts';
import { SecretRevealer } from '../src/secrets/secret-revealer.ts';
import { SecretService } from '../src/secrets/secret-service.ts';
import { SecretTester } from '../src/secrets/secret-tester.ts';
import { SecretVersions } from '../src/secrets/secret-versions.ts';
import { VersionRetention } from '../src/secrets/version-retention.ts';
import type { Settings } from '../src/settings/settings.ts';
import type { Core } from './compose-core.ts';
import { composeDataPlane } from './compose-data-plane.ts';
import type { ComposedDataPlane } from './compose-data-plane.ts';
import { composeParentCredentials } from './compose-parent-credentials.ts';
import { explain } from './compose-explain.ts';
import { probe } from './compose-probe.ts';
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
  });
  const proxyAddress = formatAddress(dataPlane.proxy.address);
  closers.push(async () => {
    services.caRotation.close();
  });
  const readBundle = keepBundle();
  const liveFeed = new LiveFeed({ store: core.store.audit, trail: core.trail });
  const handler = createAdminHandler({
    ...services,
    organizations: core.store.organizations,
    compat: settings.compat,
    audit: core.store.audit,
    auditLog: new AuditLog(core.store.audit),
    chainVerifier: new ChainVerifier(core.store.audit),
    liveFeed,
    secretTester: new SecretTester({
      activity: services.activity,
      clock: core.clock,
      probe: (query) => probe({ ...core, policy: core.store.policy, send: dataPlane.probe }, query),
    }),
    explain: (query) => explain({ ...core, ...dataPlane, neverIntercept }, query),
    ca: () => ({ caPem: core.authority.caPem, bundlePem: readBundle(core.authority.caPem) }),
    masterKeys: core.masterKeys,
    webhooks: webhooks.service,
    metrics: core.metrics,
    ready: () => core.store.ping(),
    proxyUrl: () =>
      settings.proxy.publicUrl ?? `http://${reachableAddress(dataPlane.proxy.address)}`,
    logger: core.logger,
    clock: core.clock,
    limits: settings.limits,
  });
  const admin = await startAdmin({
    handler,
    listen: settings.admin.listen,
    tls: readAdminTls(settings),
    logger: core.logger,
    limits: settings.limits,
  });
  dataPlane.addListener(parseAddress(admin.address));
  closers.push(() => {
    liveFeed.close();
    return admin.close();
  });
  if (settings.metrics.listen !== null) {
    const metrics = await startAdmin({
      handler: createMetricsHandler(core.metrics),
      setting: 'metrics.listen',
      listen: settings.metrics.listen,
      logger: core.logger,
      limits: settings.limits,
    });
    dataPlane.addListener(parseAddress(metrics.address));
    closers.push(() => metrics.close());
  }
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
    adminAddress: admin.address,
    adminKey,
    close: closeOnce(dataPlane, closers),
  };
}

function composeServices(settings: Settings, core: Core, neverIntercept: readonly HostPattern[]) {
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

/** The bundle is long: made once for each set of CAs. */
function keepBundle(): (caPem: string) => string {
  const systemPem = systemBundlePem();
  let made = { caPem: '', bundlePem: '' };
  return (caPem) => {
    if (made.caPem !== caPem) made = { caPem, bundlePem: makeBundle(systemPem, caPem) };
    return made.bundlePem;
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

function readAdminTls(settings: Settings): { certPem: string; keyPem: string } | null {
  const { tls } = settings.admin;
  if (tls === null) return null;
  try {
    return {
      certPem: readFileSync(tls.certFile, 'utf8'),
      keyPem: readFileSync(tls.keyFile, 'utf8'),
    };
  } catch (error) {
    throw new StartError(
      'The certificate or key of admin.tls cannot be read.',
      'Check admin.tls.cert_file and admin.tls.key_file.',
      { cause: error },
    );
  }
}

interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

function formatAddress({ host, port }: BoundAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** How a client on this machine reaches it: an unspecified address is not one to connect to. */
function reachableAddress({ host, port }: BoundAddress): string {
  const isUnspecified = host === '0.0.0.0' || host === '::';
  return isUnspecified ? `127.0.0.1:${port}` : formatAddress({ host, port });
}

function parseAddress(text: string): { address: string; port: number } {
  const colon = text.lastIndexOf(':');
  const address = text.slice(0, colon).replace(/^\[|\]$/g, '');
  return { address, port: Number(text.slice(colon + 1)) };
}
