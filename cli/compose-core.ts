/**
 * Composes what both planes stand on: log, metrics, store, vault, certificate authority, policy feed,
 * trail, usage book. Everything here is closed in the reverse order of opening.
 */
import { createFileSink, createStreamSink } from '../src/audit/sink.ts';
import type { AuditSink } from '../src/audit/sink.ts';
import { startRetention } from '../src/audit/retention.ts';
import { startTrail } from '../src/audit/trail.ts';
import type { RunningTrail } from '../src/audit/trail.ts';
import { openCertificateAuthority } from '../src/ca/authority.ts';
import type { RotatableAuthority } from '../src/ca/authority.ts';
import { systemClock } from '../src/kernel/clock.ts';
import type { Clock } from '../src/kernel/clock.ts';
import type { Logger } from '../src/kernel/logger.ts';
import { createLogger } from '../src/observe/logger.ts';
import { createMetrics } from '../src/observe/metrics.ts';
import type { Metrics } from '../src/observe/metrics.ts';
import { SnapshotFeed } from '../src/policy/snapshot-feed.ts';
import type { Settings } from '../src/settings/settings.ts';
import type { Store } from '../src/store/store.ts';
import { startStore } from '../src/store/start-store.ts';
import { startUsageBook } from '../src/usage/usage-book.ts';
import type { RunningUsageBook } from '../src/usage/usage-book.ts';
import { KeyRotation } from '../src/vault/key-rotation.ts';
import { openVault } from '../src/vault/open-vault.ts';
import type { Vault } from '../src/vault/vault.ts';

export interface Core {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly store: Store;
  readonly vault: Vault;
  readonly masterKeys: KeyRotation;
  readonly authority: RotatableAuthority;
  readonly feed: SnapshotFeed;
  readonly trail: RunningTrail;
  readonly usage: RunningUsageBook;
  /** Flushes usage and audit, then closes the store. */
  close(): Promise<void>;
}

/** Rejects with StartError: database, master key, certificate authority. */
export async function composeCore(settings: Settings, masterKey: string | null): Promise<Core> {
  const clock = systemClock;
  const logger = createLogger(settings.log);
  const metrics = createMetrics();
  let onUncertain = (): void => undefined;
  const store = await startStore({
    url: settings.store.url,
    dataDir: settings.dataDir,
    logger,
    clock,
    onDuration: (operation, seconds) => {
      metrics.storeDuration(operation, seconds);
    },
    onUncertain: () => {
      onUncertain();
    },
  });
  try {
    const core = await composeOnStore({ settings, masterKey, clock, logger, metrics, store });
    onUncertain = () => {
      logger.warn({}, 'a change may have been stored unsaid: all policy is read anew');
      core.feed.forgetAll();
    };
    return core;
  } catch (error) {
    await store.close();
    throw error;
  }
}

interface OnStore {
  readonly settings: Settings;
  readonly masterKey: string | null;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly store: Store;
}

async function composeOnStore(parts: OnStore): Promise<Core> {
  const { settings, clock, logger, metrics, store } = parts;
  const { limits } = settings;
  const keySource = {
    masterKey: parts.masterKey,
    keyFile: settings.vault.keyFile,
    dataDir: settings.dataDir,
  };
  const vault = await openVault({ ...keySource, instance: store.instance, limits });
  const masterKeys = new KeyRotation({ store: store.envelopes, vault, source: keySource, logger });
  const authority = await openCertificateAuthority({
    instance: store.instance,
    vault,
    clock,
    limits,
  });
  const feed = new SnapshotFeed({
    store: store.policy,
    sandboxIdsOfSecret: (organizationId, secretId) =>
      store.secrets.listSandboxIdsOfSecret(organizationId, secretId),
    clock,
    limits,
    onError: (error) => {
      logger.error({ err: error }, 'the policy could not be read');
    },
  });
  const sink = createSink(settings, logger);
  const { onFull } = settings.audit;
  const trail = startTrail({
    store: store.audit,
    limits,
    onFull,
    isChained: settings.audit.chain === 'on',
    sink,
    logger,
    metrics,
  });
  const usage = startUsageBook({ store: store.usage, logger, clock });
  const retention = startRetention({
    store: store.audit,
    clock,
    logger,
    retentionDays: settings.audit.retentionDays,
    importantRowsMax: settings.audit.retentionRows,
    plainRowsMax: settings.audit.retentionPlainRows,
  });
  return {
    clock,
    logger,
    metrics,
    store,
    vault,
    masterKeys,
    authority,
    feed,
    trail,
    usage,
    close: async () => {
      await retention.close();
      await usage.close();
      await trail.close();
      await store.close();
      metrics.close();
    },
  };
}

function createSink(settings: Settings, logger: Logger): AuditSink | null {
  const { sink, file } = settings.audit;
  if (sink === 'stdout') return createStreamSink(process.stdout, logger);
  return sink === 'file' && file !== null ? createFileSink(file, logger) : null;
}
