/**
 * Every query of the contracts finds its rows by an index: no walk through a table that grows, no index
 * built on the fly. What a planner does with a small table it does with a large one, there being no
 * statistics.
 */
import path from 'node:path';
import SqliteFile from 'better-sqlite3';
import { Kysely, SqliteDialect } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import type { AuditStore } from '../../src/audit/audit-store.ts';
import type { GroupStore } from '../../src/groups/group-store.ts';
import type { SecretGroup } from '../../src/groups/secret-group.ts';
import type { Transaction } from '../../src/store/database.ts';
import { openSqlite } from '../../src/store/open-sqlite.ts';
import { activityQueries } from '../../src/store/queries/activity-queries.ts';
import { auditQueries } from '../../src/store/queries/audit-queries.ts';
import { envelopeQueries } from '../../src/store/queries/envelope-queries.ts';
import { groupQueries } from '../../src/store/queries/group-queries.ts';
import { organizationQueries } from '../../src/store/queries/organization-queries.ts';
import { policyQueries } from '../../src/store/queries/policy-queries.ts';
import { sandboxQueries } from '../../src/store/queries/sandbox-queries.ts';
import { secretQueries } from '../../src/store/queries/secret-queries.ts';
import { usageQueries } from '../../src/store/queries/usage-queries.ts';
import { webhookQueries } from '../../src/store/queries/webhook-queries.ts';
import type { Tables } from '../../src/store/tables.ts';
import type { WebhookStore } from '../../src/webhooks/webhook-store.ts';
import type { Webhook } from '../../src/webhooks/webhook.ts';
import {
  insertSampleSandbox,
  insertSampleSecret,
  insertTenant,
  sampleBinding,
  sampleExchange,
  sampleMark,
} from '../contract/samples.ts';
import { temporaryDirectory } from './temporary-store.ts';

/** Tables that may be walked: a few rows an organization, or the subset of a partial condition. */
const SMALL = [
  'organizations',
  'audit_counts',
  'audit_writers',
  'usage_writers',
  'schema_version',
  'webhooks',
];

interface Watched {
  readonly transaction: Transaction;
  readonly file: SqliteFile.Database;
  readonly statements: Set<string>;
}

async function openWatched(): Promise<Watched> {
  const name = path.join(temporaryDirectory(), 'plans.db');
  await (await openSqlite(name, 0)).close();
  const file = new SqliteFile(name);
  const statements = new Set<string>();
  const query = new Kysely<Tables>({
    dialect: new SqliteDialect({ database: file }),
    log: (event) => {
      statements.add(event.query.sql);
    },
  });
  onTestFinished(() => query.destroy());
  return {
    file,
    statements,
    transaction: {
      query,
      runMany: async (statement, rows) => {
        statements.add(statement.sql);
        for (const row of rows) file.prepare(statement.sql).run(...row);
        await Promise.resolve();
      },
    },
  };
}

function stores({ transaction }: Watched) {
  return {
    secrets: secretQueries(transaction),
    groups: groupQueries(transaction),
    sandboxes: sandboxQueries(transaction),
    organizations: organizationQueries(transaction),
    policy: policyQueries(transaction),
    audit: auditQueries(transaction),
    activity: activityQueries(transaction),
    usage: usageQueries(transaction),
    envelopes: envelopeQueries(transaction),
    webhooks: webhookQueries(transaction),
    instance: {
      readInstanceItem: unused,
      insertInstanceItem: unused,
      replaceInstanceItem: unused,
    },
  };
}

function unused(): Promise<never> {
  return Promise.reject(new Error('not part of this test'));
}

async function callEverything(watched: Watched): Promise<void> {
  const store = stores(watched);
  const tenant = await insertTenant(store, 'acme');
  const { id: organization } = tenant.organization;
  const secret = await insertSampleSecret(store, tenant);
  const dead = await insertSampleSecret(store, tenant);
  const sandbox = await insertSampleSandbox(store, tenant, { metadata: { a: 'b' } }, (inserted) => [
    sampleBinding(inserted, secret),
    sampleBinding(inserted, dead, { envKey: 'DEAD' }),
  ]);
  const { secrets, sandboxes, policy, audit } = store;
  const place = { createdAtMs: 1, id: secret.id };
  await secrets.listSecrets(organization, { q: 'x', provider: 'p', limit: 5, after: place });
  await secrets.listSecrets(organization, { host: 'api.example.com', unusedSinceMs: 5 });
  await secrets.readSecret(organization, secret.name);
  await secrets.readSecretById(organization, secret.id);
  await secrets.updateSecret({ ...secret, revision: 2 }, null);
  await secrets.listVersions(organization, secret.id);
  await secrets.readVersion(organization, secret.id, 1);
  await secrets.listBindingsOfSecret(organization, secret.id);
  await secrets.listSandboxIdsOfSecret(organization, secret.id);
  await secrets.deleteSecret(organization, dead.id, 1);
  await sandboxes.readSandbox(organization, sandbox.id);
  await sandboxes.listSandboxes(organization, { metadata: { a: 'b' }, limit: 5, offset: 0 });
  await sandboxes.updateSandbox({ ...sandbox, revision: 2 });
  await sandboxes.detachBinding(organization, sandbox.id, 'DEAD', 1);
  await sandboxes.listDueSandboxes(1, 5);
  await policy.readPolicySource(sandbox.id);
  await policy.listPlacedSecrets(organization, '', 5);
  await policy.readPlacedSecrets(organization, [secret.id]);
  await sandboxes.listAllModeWorkspaces(organization);
  await policy.readTokenOwner('hash', 1);
  await audit.appendEvents(
    [
      sampleExchange(
        { organizationId: organization, sandboxId: sandbox.id },
        { secrets: [{ secretId: secret.id, version: 1 }] },
      ),
    ],
    { writer: 'w', sequence: 1 },
  );
  await audit.listSecretAudit(organization, secret.id, { limit: 5, beforeId: 9, status: '2xx' });
  const before = { tsMs: 1, kind: 'exchange', id: 1 } as const;
  await audit.listNetwork(organization, sandbox.id, { limit: 5, before, verdict: 'allowed' });
  await store.usage.recordUsage([sampleMark(secret, { lastUsedAtMs: 1 })], {
    writer: 'w',
    sequence: 1,
    atMs: 1,
  });
  await secrets.destroyOldVersions(organization, secret.id, 1);
  const everything = { workspaceIds: null, secretIds: null };
  const filter = { ...everything, limit: 5, host: 'h', before: { tsMs: 9, id: 9 }, sinceMs: 0 };
  await audit.listTrail(organization, { ...everything, limit: 5 });
  await audit.listTrail(organization, filter);
  await audit.listTrail(organization, { ...filter, sandboxId: sandbox.id });
  await audit.listTrail(organization, { ...filter, secretId: secret.id });
  const narrow = { workspaceIds: ['w'], secretIds: [secret.id], limit: 5 };
  await audit.listTrail(organization, { ...filter, ...narrow });
  await audit.listTrailAfter(organization, 0, narrow);
  await audit.readLastEventId();
  await store.activity.insertActivity([
    {
      tsMs: 1,
      organizationId: organization,
      apiKeyId: 'k',
      subject: 'user:someone',
      action: 'secret.create',
      targetId: secret.id,
      targetName: secret.name,
      before: null,
      after: {},
      widened: [],
    },
  ]);
  const trail = { limit: 5, beforeId: 9, sinceMs: 0, untilMs: 9, action: 'secret.create' } as const;
  await store.activity.listActivity(organization, trail);
  await store.activity.listActivity(organization, { ...trail, targetId: 's', apiKeyId: 'k' });
  await audit.pruneEvents({ olderThanMs: 99_999, importantRowsMax: 5, plainRowsMax: 5 });
  await audit.pruneEvents({ olderThanMs: 0, importantRowsMax: 0, plainRowsMax: 0 });
  await callChain(audit, { organizationId: organization, sandboxId: sandbox.id });
  await callWebhooks(store.webhooks, organization, secret.id);
  await callGroups(store.groups, organization);
  await store.organizations.deleteWorkspace(organization, 'w').catch(() => false);
  await store.organizations.readApiKeyByHash('hash');
  await store.organizations.touchApiKeys([{ id: 'k', atMs: 1 }]);
  await sandboxes.deleteSandbox(organization, sandbox.id);
}

async function callChain(
  audit: AuditStore,
  ids: { readonly organizationId: string; readonly sandboxId: string },
): Promise<void> {
  const { organizationId } = ids;
  for (const sequence of [10, 11]) {
    const batch = { writer: 'chained', sequence, isChained: true };
    await audit.appendEvents([sampleExchange(ids), sampleExchange(ids)], batch);
  }
  await audit.listChains(organizationId);
  const place = { afterId: 0, hash: new Uint8Array(32), untilId: 99 };
  await audit.verifyChainPage(organizationId, false, place, 5);
  await audit.pruneEvents({ olderThanMs: 0, importantRowsMax: 0, plainRowsMax: 1 });
  await audit.pruneEvents({ olderThanMs: 99_999, importantRowsMax: 9, plainRowsMax: 9 });
}

async function callWebhooks(
  webhooks: WebhookStore,
  organizationId: string,
  secretId: string,
): Promise<void> {
  const webhook: Webhook = {
    id: 'hook',
    organizationId,
    url: 'https://hooks.example.com/',
    description: null,
    events: ['secret.rotated'],
    signingSecret: new Uint8Array(4),
    isDisabled: false,
    disabledReason: null,
    failingSinceMs: null,
    createdAtMs: 1,
    updatedAtMs: 1,
    createdBy: 'user:someone',
    revision: 1,
  };
  await webhooks.insertWebhook(webhook);
  await webhooks.readWebhook(organizationId, 'hook');
  await webhooks.listWebhooks(organizationId);
  await webhooks.updateWebhook({ ...webhook, revision: 2 });
  const event = { event: 'secret.rotated', atMs: 1, payload: '{}' } as const;
  await webhooks.enqueueNews([{ id: 'msg', organizationId, ...event }]);
  const [due] = await webhooks.listDue(9, 5);
  const outcome = { webhookId: 'hook', atMs: 2, status: 500, error: null, disableReason: null };
  const failed = { ...outcome, state: 'pending', nextAttemptAtMs: 9 } as const;
  await webhooks.settleAttempt({ ...failed, seq: due?.delivery.seq ?? 0 }, 99);
  await webhooks.listDeliveries('hook', 5, 9);
  await webhooks.pruneDeliveries(1);
  await webhooks.claimFirstUses(organizationId, [secretId], 1);
  await webhooks.deleteWebhook(organizationId, 'hook');
}

async function callGroups(groups: GroupStore, organizationId: string): Promise<void> {
  const group: SecretGroup = {
    id: 'g',
    organizationId,
    name: 'group',
    integrationId: null,
    manifest: null,
    createdAtMs: 1,
    updatedAtMs: 1,
    createdBy: 'user:someone',
    revision: 1,
  };
  await groups.insertGroup(group, []);
  await groups.readGroup(organizationId, 'g');
  await groups.readGroupByName(organizationId, 'group');
  const page = { limit: 5, offset: 5 };
  await groups.listGroups(organizationId, {
    ...page,
    name: 'group',
    search: 'g',
    subject: 'user:x',
  });
  await groups.listGroups(organizationId, page);
  const changed = { group: { ...group, revision: 2 }, inserted: [], updated: [], atMs: 1 };
  await groups.writeGroup({ ...changed, deletedIds: [] });
  await groups.listMembers(organizationId, { ...page, groupIds: ['g'] });
  await groups.listMembers(organizationId, { names: ['a'], subject: 'user:x' });
  await groups.listMembers(organizationId, { ...page, isUngrouped: true, ids: ['s'] });
  await groups.listMembers(organizationId, {});
  await groups.deleteGroup(organizationId, 'g', 1);
}

test('no query walks a table that grows', async () => {
  const watched = await openWatched();
  await callEverything(watched);
  const faults: string[] = [];
  let planned = 0;
  for (const statement of watched.statements) {
    if (!/^(select|update|delete|insert)/.test(statement)) continue;
    const blanks = Array.from(statement.matchAll(/\?/g), () => null);
    const plan = watched.file.prepare(`explain query plan ${statement}`).all(...blanks) as {
      detail: string;
    }[];
    planned += 1;
    for (const { detail } of plan) {
      const walked = /^SCAN (\w+)/.exec(detail)?.[1] ?? '';
      const derived =
        ['p', 'w'].includes(walked) || walked === 'CONSTANT' || detail.includes('CONSTANT ROW');
      const walk = walked !== '' && !derived && !SMALL.includes(walked);
      if (walk || detail.includes('AUTOMATIC')) faults.push(`${detail}: ${statement}`);
    }
  }
  expect(faults).toEqual([]);
  expect(planned).toBeGreaterThan(40);
});
