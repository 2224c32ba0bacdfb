/**
 * The composition root: builds every part in order of dependence, wires them, and takes them down in the
 * reverse order (connections, then usage and audit, then the store). The only place that knows them all.
 */
import { startAdmin } from '../admin-api/start.ts';
import { createAdminHandler } from '../admin-api/handler.ts';
import { createFileSink, createStreamSink } from '../src/audit/sink.ts';
import type { AuditSink } from '../src/audit/sink.ts';
import { startRetention } from '../src/audit/retention.ts';
import { startTrail } from '../src/audit/trail.ts';
import { openCertificateAuthority } from '../src/ca/authority.ts';
import { makeBundle } from '../src/ca/bundle.ts';
import { systemBundlePem } from '../src/egress/trust.ts';
import { systemClock } from '../src/kernel/clock.ts';
import type { Logger } from '../src/kernel/logger.ts';
import { createLogger } from '../src/observe/logger.ts';
import { createMetrics } from '../src/observe/metrics.ts';
import { bootstrapOrganization } from '../src/organizations/bootstrap.ts';
import { parseHostPattern } from '../src/policy/host-pattern.ts';
import { SnapshotFeed } from '../src/policy/snapshot-feed.ts';
import { startSandboxLifecycle } from '../src/sandboxes/sandbox-lifecycle.ts';
import type { Settings } from '../src/settings/settings.ts';
import { startStore } from '../src/store/start-store.ts';
import { startUsageBook } from '../src/usage/usage-book.ts';
import { openVault } from '../src/vault/open-vault.ts';
import { composeDataPlane } from './compose-data-plane.ts';

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
