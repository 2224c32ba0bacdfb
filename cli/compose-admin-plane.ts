/**
 * The control plane on the services and the data plane: the admin API, and the listener for metrics where one
 * is wanted. The data plane is told both addresses, so that it never dials them.
 */
import { readFileSync } from 'node:fs';
import { createAdminHandler } from '../admin-api/handler.ts';
import type { AdminHandler } from '../admin-api/handler.ts';
import { createMetricsHandler } from '../admin-api/metrics-handler.ts';
import { startAdmin } from '../admin-api/start.ts';
import { AuditLog } from '../src/audit/audit-log.ts';
import { ChainVerifier } from '../src/audit/chain-verifier.ts';
import { LiveFeed } from '../src/audit/live-feed.ts';
import { makeBundle } from '../src/ca/bundle.ts';
import { systemBundlePem } from '../src/egress/trust.ts';
import { StartError } from '../src/kernel/errors.ts';
import type { HostPattern } from '../src/policy/host-pattern.ts';
import { SecretTester } from '../src/secrets/secret-tester.ts';
import type { Settings } from '../src/settings/settings.ts';
import type { WebhookService } from '../src/webhooks/webhook-service.ts';
import { parseAddress, reachableAddress } from './bound-address.ts';
import type { Core } from './compose-core.ts';
import type { ComposedDataPlane } from './compose-data-plane.ts';
import { explain } from './compose-explain.ts';
import { probe } from './compose-probe.ts';
import type { Services } from './compose-services.ts';

export interface AdminPlaneParts {
  readonly settings: Settings;
  readonly core: Core;
  readonly services: Services;
  readonly dataPlane: ComposedDataPlane;
  readonly webhooks: WebhookService;
  readonly neverIntercept: readonly HostPattern[];
  readonly closers: (() => Promise<void>)[];
}

/** Resolves with the address of the admin API. Rejects with StartError; what was opened is in `closers`. */
export async function startAdminPlane(parts: AdminPlaneParts): Promise<string> {
  const { settings, core, dataPlane, closers } = parts;
  const liveFeed = new LiveFeed({ store: core.store.audit, trail: core.trail });
  const admin = await startAdmin({
    handler: composeHandler(parts, liveFeed),
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
  return admin.address;
}

function composeHandler(
  { settings, core, services, dataPlane, webhooks, neverIntercept }: AdminPlaneParts,
  liveFeed: LiveFeed,
): AdminHandler {
  const readBundle = keepBundle();
  return createAdminHandler({
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
    webhooks,
    metrics: core.metrics,
    ready: () => core.store.ping(),
    proxyUrl: () =>
      settings.proxy.publicUrl ?? `http://${reachableAddress(dataPlane.proxy.address)}`,
    logger: core.logger,
    clock: core.clock,
    limits: settings.limits,
  });
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
