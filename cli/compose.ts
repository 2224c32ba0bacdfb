/**
 * The composition root: builds every part in order of dependence, wires them, and takes them down in the
 * reverse order (connections, then usage and audit, then the store). The only place that knows them all.
 */
import { readFileSync } from 'node:fs';
import { startAdmin } from '../admin-api/start.ts';
import { createAdminHandler } from '../admin-api/handler.ts';
import { createMetricsHandler } from '../admin-api/metrics-handler.ts';
import { makeBundle } from '../src/ca/bundle.ts';
import { systemBundlePem } from '../src/egress/trust.ts';
import { GroupReader } from '../src/groups/group-reader.ts';
import { GroupService } from '../src/groups/group-service.ts';
import { StartError } from '../src/kernel/errors.ts';
import type { Logger } from '../src/kernel/logger.ts';
import { ApiKeyService } from '../src/organizations/api-key-service.ts';
import { bootstrapOrganization } from '../src/organizations/bootstrap.ts';
import { OrganizationService } from '../src/organizations/organization-service.ts';
import { parseHostPattern } from '../src/policy/host-pattern.ts';
import type { HostPattern } from '../src/policy/host-pattern.ts';
import { loadCatalogue } from '../src/providers/catalogue.ts';
import { BindingService } from '../src/sandboxes/binding-service.ts';
import { startSandboxLifecycle } from '../src/sandboxes/sandbox-lifecycle.ts';
import { SandboxService } from '../src/sandboxes/sandbox-service.ts';
import { SecretBinder } from '../src/sandboxes/secret-binding.ts';
import { SecretService } from '../src/secrets/secret-service.ts';
import type { Settings } from '../src/settings/settings.ts';
import { composeCore } from './compose-core.ts';
import type { Core } from './compose-core.ts';
import { composeDataPlane } from './compose-data-plane.ts';
import type { ComposedDataPlane } from './compose-data-plane.ts';
import { explain } from './compose-explain.ts';

export interface SallyportOptions {
  readonly settings: Settings;
  readonly environment: {
    /** `SALLYPORT_BOOTSTRAP_KEY`: the first admin key instead of a minted one. */
    readonly bootstrapKey: string | null;
    /** `SALLYPORT_MASTER_KEY`: base64 of 32 bytes, instead of the key file. */
    readonly masterKey: string | null;
  };
}

export interface Sallyport {
  /** `HOST:PORT`, IPv6 in brackets. */
  readonly proxyAddress: string;
  readonly adminAddress: string;
  /** Only on the first start, when it was minted here: to be shown once. */
  readonly adminKey: string | null;
  /** Drains, flushes, closes. `hasten` ends a drain that is under way. */
  close(options?: { readonly hasten?: boolean }): Promise<void>;
}

/** Starts everything. Rejects with StartError, after closing what was already open. */
export async function startSallyport(options: SallyportOptions): Promise<Sallyport> {
  const { settings, environment } = options;
  const core = await composeCore(settings, environment.masterKey);
  const closers: (() => Promise<void>)[] = [() => core.close()];
  const stopGuard = guardProcess(core.logger);
  closers.unshift(async () => {
    stopGuard();
  });
  const closeAll = async (): Promise<void> => {
    for (const close of closers.toReversed()) await close();
  };
  try {
    const { adminKey } = await bootstrapOrganization({
      organizations: core.store.organizations,
      clock: core.clock,
      bootstrapKey: environment.bootstrapKey,
    });
    return await startPlanes(settings, core, closers, adminKey);
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function startPlanes(
  settings: Settings,
  core: Core,
  closers: (() => Promise<void>)[],
  adminKey: string | null,
): Promise<Sallyport> {
  const neverIntercept = settings.egress.neverIntercept.map((text) =>
    parseHostPattern(text, 'any'),
  );
  const services = composeServices(settings, core, neverIntercept);
  const dataPlane = await composeDataPlane({
    ...core,
    settings,
    opener: core.vault,
    neverIntercept,
  });
  closers.push(() => dataPlane.close());
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
  const bundlePem = makeBundle(systemBundlePem(), core.authority.caPem);
  const handler = createAdminHandler({
    ...services,
    organizations: core.store.organizations,
    compat: settings.compat,
    audit: core.store.audit,
    explain: (query) => explain({ ...core, ...dataPlane, neverIntercept }, query),
    ca: () => ({ caPem: core.authority.caPem, bundlePem }),
    metrics: core.metrics,
    ready: () => core.store.ping(),
    proxyUrl: () => `http://${reachableAddress(dataPlane.proxy.address)}`,
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
  closers.push(() => admin.close());
  if (settings.metrics.listen !== null) {
    const metrics = await startAdmin({
      handler: createMetricsHandler(core.metrics),
      listen: settings.metrics.listen,
      logger: core.logger,
      limits: settings.limits,
    });
    dataPlane.addListener(parseAddress(metrics.address));
    closers.push(() => metrics.close());
  }
  return {
    proxyAddress,
    adminAddress: admin.address,
    adminKey,
    close: closeOnce(dataPlane, closers),
  };
}

function composeServices(settings: Settings, core: Core, neverIntercept: readonly HostPattern[]) {
  const { store, clock, logger, feed: changes } = core;
  const catalogue = loadCatalogue();
  const secrets = new SecretService({
    store: store.secrets,
    organizations: store.organizations,
    audit: store.audit,
    usage: core.usage,
    catalogue,
    sealer: core.vault,
    changes,
    clock,
    logger,
    allowWidening: settings.secrets.allowWidening,
  });
  const { organizations } = store;
  const binder = new SecretBinder({
    secrets: store.secrets,
    organizations,
    catalogue,
    neverIntercept,
  });
  const sandboxes = new SandboxService({
    store: store.sandboxes,
    organizations,
    binder,
    changes,
    clock,
  });
  const bindings = new BindingService({
    store: store.sandboxes,
    sandboxes,
    binder,
    changes,
    clock,
  });
  const apiKeys = new ApiKeyService({ store: organizations, clock, logger });
  const tenants = new OrganizationService({ store: organizations, changes, clock });
  const groupParts = { store: store.groups, secrets: store.secrets, values: core.vault, logger };
  const { allowReveal, allowWidening } = settings.secrets;
  const groups = new GroupService({
    ...groupParts,
    organizations,
    catalogue,
    sealer: core.vault,
    changes,
    clock,
    allowWidening,
  });
  const groupReader = new GroupReader({ ...groupParts, organizations, allowReveal });
  return { secrets, sandboxes, bindings, apiKeys, tenants, groups, groupReader, catalogue };
}

/**
 * The last resort: an error that no part foresaw ends what it happened in, not the connections of everybody
 * else. Every exchange keeps its own state, so nothing shared is left half-done. Tests fail on this line.
 */
function guardProcess(logger: Logger): () => void {
  const onError = (error: unknown): void => {
    logger.error({ err: error }, 'unforeseen error');
  };
  process.on('uncaughtException', onError);
  process.on('unhandledRejection', onError);
  return () => {
    process.off('uncaughtException', onError);
    process.off('unhandledRejection', onError);
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
