/**
 * The control plane on a real database, without ports: real store, vault, feed, books. The clock can be
 * set forward. `answers` keeps every response text, for canaries.
 */
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AdminDeps, ExplainQuery } from '../../admin-api/deps.ts';
import { createAdminHandler, type AdminHandler } from '../../admin-api/handler.ts';
import { composeWebhooks } from '../../cli/compose-webhooks.ts';
import { ActivityJournal } from '../../src/activity/activity-journal.ts';
import { openCertificateAuthority } from '../../src/ca/authority.ts';
import { CaRotation } from '../../src/ca/rotation.ts';
import { AuditLog } from '../../src/audit/audit-log.ts';
import { ChainVerifier } from '../../src/audit/chain-verifier.ts';
import { LiveFeed } from '../../src/audit/live-feed.ts';
import { startTrail, type RunningTrail } from '../../src/audit/trail.ts';
import type { PostAnswer, PostRequest } from '../../src/egress/post-outside.ts';
import { GroupReader } from '../../src/groups/group-reader.ts';
import { GroupService } from '../../src/groups/group-service.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/limits.ts';
import type { Logger } from '../../src/kernel/logger.ts';
import { ApiKeyService } from '../../src/organizations/api-key-service.ts';
import { bootstrapOrganization } from '../../src/organizations/bootstrap.ts';
import { OrganizationService } from '../../src/organizations/organization-service.ts';
import { explainExchange, type Explanation } from '../../src/policy/explain.ts';
import { parseHostPattern } from '../../src/policy/host-pattern.ts';
import type { PolicyChange } from '../../src/policy/policy-feed.ts';
import { SnapshotFeed } from '../../src/policy/snapshot-feed.ts';
import { loadCatalogue } from '../../src/providers/catalogue.ts';
import { AllMode } from '../../src/sandboxes/all-mode.ts';
import { BindingService } from '../../src/sandboxes/binding-service.ts';
import { SandboxService } from '../../src/sandboxes/sandbox-service.ts';
import { SecretBinder } from '../../src/sandboxes/secret-binding.ts';
import { readSecretId } from '../../src/secrets/secret-id.ts';
import { SecretRevealer } from '../../src/secrets/secret-revealer.ts';
import { SecretService } from '../../src/secrets/secret-service.ts';
import {
  SecretTester,
  type ProbeAnswer,
  type ProbeQuery,
} from '../../src/secrets/secret-tester.ts';
import { SecretVersions } from '../../src/secrets/secret-versions.ts';
import { VersionRetention } from '../../src/secrets/version-retention.ts';
import { startStore } from '../../src/store/start-store.ts';
import type { Store } from '../../src/store/store.ts';
import { startUsageBook, type RunningUsageBook } from '../../src/usage/usage-book.ts';
import { KeyRotation } from '../../src/vault/key-rotation.ts';
import { openVault } from '../../src/vault/open-vault.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // The tests read answers of every shape; each asserts what it reads.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any;
}

export interface AdminFixture extends AsyncDisposable {
  readonly key: string;
  readonly store: Store;
  readonly usage: RunningUsageBook;
  readonly trail: RunningTrail;
  readonly feed: SnapshotFeed;
  readonly handler: AdminHandler;
  readonly deps: AdminDeps;
  /** In force, in order. */
  readonly changes: readonly PolicyChange[];
  readonly logged: readonly string[];
  readonly answers: readonly string[];
  readonly clock: Clock & { advance(ms: number): void };
  call(method: string, path: string, body?: unknown, key?: string | null): Promise<Answer>;
  /** As `call`, with full control. */
  send(path: string, init: RequestInit, address?: string): Promise<Answer>;
  /** Every byte the store wrote. */
  readDatabase(): Promise<Buffer>;
}

export interface FixtureOptions {
  readonly allowWidening?: boolean;
  readonly allowReveal?: boolean;
  readonly versionsKept?: number;
  /** There is no data plane here: what a test of a secret comes to. */
  readonly probe?: (query: ProbeQuery) => ProbeAnswer;
  readonly compat?: AdminDeps['compat'];
  readonly heartbeatMs?: number;
  readonly neverIntercept?: readonly string[];
  readonly allowHttpWebhooks?: boolean;
  /** What webhooks meet outside. */
  readonly post?: (request: PostRequest) => PostAnswer;
}

const UNSENT: PostAnswer = { status: null, error: 'There is no outside here.' };
const URL_BASE = 'http://admin.test';

const UNANSWERED: ProbeAnswer = {
  status: null,
  code: 'upstream_unreachable',
  isAccepted: null,
  kind: null,
  version: null,
  latencyMs: 0,
  detail: 'There is no data plane.',
};

export async function startAdminFixture(options: FixtureOptions = {}): Promise<AdminFixture> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sallyport-admin-'));
  const logged: string[] = [];
  const logger = createTestLogger(logged);
  const clock = createTestClock();
  const store = await startStore({ url: null, dataDir, logger, clock });
  const keySource = { masterKey: null, keyFile: join(dataDir, 'master.key'), dataDir };
  const { instance } = store;
  const vault = await openVault({ ...keySource, instance, limits: DEFAULT_LIMITS });
  const usage = startUsageBook({ store: store.usage, logger, clock });
  const feed = new SnapshotFeed({
    store: store.policy,
    sandboxIdsOfSecret: (organizationId, secretId) =>
      store.secrets.listSandboxIdsOfSecret(organizationId, secretId),
    clock,
    limits: DEFAULT_LIMITS,
    onError: (error) => logged.push(String(error)),
  });
  const changes: PolicyChange[] = [];
  const announcer = {
    announce: async (change: PolicyChange) => {
      await feed.announce(change);
      changes.push(change);
    },
  };
  const { adminKey } = await bootstrapOrganization({
    organizations: store.organizations,
    clock,
    bootstrapKey: null,
  });
  const catalogue = loadCatalogue();
  const neverIntercept = (options.neverIntercept ?? []).map((text) =>
    parseHostPattern(text, 'any'),
  );
  const binder = new SecretBinder({
    secrets: store.secrets,
    organizations: store.organizations,
    catalogue,
    neverIntercept,
  });
  const activity = new ActivityJournal({ store: store.activity, clock, logger });
  const caRotation = new CaRotation({
    authority: await openCertificateAuthority({
      instance: store.instance,
      vault,
      clock,
      limits: DEFAULT_LIMITS,
    }),
    activity,
    clock,
    logger,
    overlapMs: null,
  });
  const trail = startTrail({
    store: store.audit,
    limits: DEFAULT_LIMITS,
    onFull: 'drop',
    sink: null,
    logger,
    metrics: { auditDropped: () => undefined },
  });
  const heartbeatMs = options.heartbeatMs ?? 15_000;
  const liveFeed = new LiveFeed({ store: store.audit, trail, heartbeatMs });
  const common = { changes: announcer, activity, clock, logger };
  const { organizations } = store;
  const allMode = new AllMode({ store: store.sandboxes, policy: feed });
  const sandboxes = new SandboxService({
    ...common,
    allMode,
    store: store.sandboxes,
    organizations,
    binder,
  });
  const apiKeys = new ApiKeyService({
    store: organizations,
    readSecretId: (...named) => readSecretId(store.secrets, ...named),
    activity,
    clock,
    logger,
  });
  const revealer = new SecretRevealer({
    secrets: store.secrets,
    values: vault,
    activity,
    logger,
    allowReveal: options.allowReveal ?? false,
  });
  const retention = new VersionRetention({
    store: store.secrets,
    logger,
    kept: options.versionsKept ?? 10,
  });
  const webhooks = await composeWebhooks({
    settings: { webhooks: { allowHttp: options.allowHttpWebhooks ?? false } },
    core: { store, vault, trail, usage, clock, logger },
    activity,
    post: (request) => Promise.resolve(options.post?.(request) ?? UNSENT),
  });
  const deps: AdminDeps = {
    secrets: new SecretService({
      ...common,
      store: store.secrets,
      retention,
      organizations,
      audit: store.audit,
      usage,
      catalogue,
      sealer: vault,
      allowWidening: options.allowWidening ?? false,
      neverIntercept,
      bindings: store.secrets,
      revealer,
    }),
    sandboxes,
    allMode,
    masterKeys: new KeyRotation({ store: store.envelopes, vault, source: keySource, logger }),
    bindings: new BindingService({ ...common, store: store.sandboxes, sandboxes, binder }),
    apiKeys,
    organizations,
    tenants: new OrganizationService({ ...common, store: organizations }),
    secretTester: new SecretTester({
      activity,
      clock,
      probe: (query) => Promise.resolve(options.probe?.(query) ?? UNANSWERED),
    }),
    versions: new SecretVersions({ ...common, store: store.secrets, organizations, usage }),
    groups: new GroupService({
      ...common,
      store: store.groups,
      retention,
      secrets: store.secrets,
      values: vault,
      organizations,
      catalogue,
      sealer: vault,
      allowWidening: options.allowWidening ?? false,
      neverIntercept,
      bindings: store.secrets,
    }),
    groupReader: new GroupReader({ store: store.groups, organizations, revealer }),
    webhooks: webhooks.service,
    compat: options.compat ?? { instabase: true, truefoundry: true },
    catalogue,
    activity,
    audit: store.audit,
    auditLog: new AuditLog(store.audit),
    chainVerifier: new ChainVerifier(store.audit),
    liveFeed,
    explain: (query) => explain(feed, clock, query),
    ca: () => ({ caPem: 'CA PEM\n', bundlePem: 'BUNDLE PEM\n' }),
    caRotation,
    metrics: {
      text: () => Promise.resolve('sallyport_up 1\n'),
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
    },
    ready: () => store.ping(),
    proxyUrl: () => 'http://127.0.0.1:3128',
    logger,
    clock,
    limits: DEFAULT_LIMITS,
  };
  const handler = createAdminHandler(deps);
  const key = adminKey ?? '';
  const answers: string[] = [];

  async function send(path: string, init: RequestInit, address = '192.0.2.1'): Promise<Answer> {
    const response = await handler(new Request(URL_BASE + path, init), { address });
    const text = await response.text();
    answers.push(text);
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
    const json: unknown = isJson && text !== '' ? JSON.parse(text) : undefined;
    return { status: response.status, headers: response.headers, text, json };
  }

  return {
    key,
    store,
    usage,
    trail,
    feed,
    handler,
    deps,
    changes,
    logged,
    answers,
    clock,
    send,
    call: (method, path, body, asKey = key) =>
      send(path, {
        method,
        headers: asKey === null ? {} : { 'x-api-key': asKey },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    async readDatabase() {
      const files = (await readdir(dataDir)).filter((name) => name.includes('.db'));
      return Buffer.concat(await Promise.all(files.map((name) => readFile(join(dataDir, name)))));
    },
    async [Symbol.asyncDispose]() {
      liveFeed.close();
      await trail.close();
      await apiKeys.close();
      await usage.close();
      await store.close();
      await rm(dataDir, { recursive: true });
    },
  };
}

async function explain(
  feed: SnapshotFeed,
  clock: Clock,
  query: ExplainQuery,
): Promise<Explanation> {
  const snapshot = await feed.snapshotOf(query.sandboxId);
  if (snapshot === undefined) throw new Error('the sandbox is gone');
  return explainExchange(snapshot, query.head, {
    nowMs: clock.nowMs(),
    network: { verdict: 'resolve', observed: null },
    intercept: 'intercept',
    limited: null,
  });
}

function createTestClock(): Clock & { advance(ms: number): void } {
  let aheadMs = 0;
  return {
    nowMs: () => Date.now() + aheadMs,
    monotonicMs: () => performance.now() + aheadMs,
    advance(ms) {
      aheadMs += ms;
    },
  };
}

function createTestLogger(lines: string[]): Logger {
  const log = (fields: Record<string, unknown>, message: string): void => {
    const error = fields['err'] instanceof Error ? fields['err'].stack : '';
    lines.push(`${message} ${JSON.stringify(fields)} ${error}`);
  };
  return { debug: log, info: log, warn: log, error: log, child: () => createTestLogger(lines) };
}
