/** The trail: what every database must do. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { NetworkFilter } from '../../src/audit/audit-store.ts';
import type { AuditEvent } from '../../src/audit/event.ts';
import { FIXED } from '../../src/kernel/limits.ts';
import type { Store } from '../../src/store/store.ts';
import {
  insertSampleSandbox,
  insertSampleSecret,
  insertTenant,
  sampleConnection,
  sampleExchange,
} from './samples.ts';
import type { MakeStore } from './store-contracts.ts';

export function describeAuditContract(makeStore: MakeStore): void {
  async function begin() {
    const store = await makeStore();
    const tenant = await insertTenant(store, 'acme');
    const sandbox = await insertSampleSandbox(store, tenant, { name: 'agent' });
    const organizationId = tenant.organization.id;
    return {
      store,
      tenant,
      sandbox,
      organizationId,
      ids: { organizationId, sandboxId: sandbox.id },
    };
  }

  describe('audit', () => {
    test('events come back as they went in, under each secret they used', async () => {
      const { store, tenant, sandbox, organizationId, ids } = await begin();
      const one = await insertSampleSecret(store, tenant);
      const two = await insertSampleSecret(store, tenant);
      const both = sampleExchange(ids, {
        secrets: [
          { secretId: one.id, version: 3 },
          { secretId: two.id, version: 1 },
        ],
        detail: 'detail',
        code: 'upstream_aborted',
        upstreamStatus: null,
        path: '/v1/{API_KEY}/ü',
        bytesOut: 5_000_000_000,
      });
      const refused = sampleConnection(ids, {
        decision: 'deny',
        code: 'host_denied',
        verdict: 'blocked',
        dstIp: null,
        matchRule: 'deny_out: 0.0.0.0/0',
        secrets: [{ secretId: one.id, version: 3 }],
      });
      await store.audit.appendEvents([both, refused]);
      const ofOne = await store.audit.listSecretAudit(organizationId, one.id, { limit: 10 });
      expect(ofOne.map((row) => [row.event, row.version, row.sandboxName])).toEqual([
        [refused, 3, 'agent'],
        [both, 3, 'agent'],
      ]);
      const ofTwo = await store.audit.listSecretAudit(organizationId, two.id, { limit: 10 });
      expect(ofTwo.map((row) => [row.event, row.version, row.secretId])).toEqual([
        [both, 1, two.id],
      ]);
      await store.sandboxes.deleteSandbox(organizationId, sandbox.id);
      const later = await store.audit.listSecretAudit(organizationId, two.id, { limit: 10 });
      expect(later[0]?.sandboxName).toBeNull();
    });

    test('ids ascend in order of the array, also after everything was pruned', async () => {
      const { store, organizationId, ids } = await begin();
      const idsOf = async () => {
        const rows = await store.audit.listNetwork(organizationId, ids.sandboxId, { limit: 9 });
        return rows.map((row) => row.id);
      };
      await store.audit.appendEvents([sampleExchange(ids), sampleExchange(ids)]);
      const [second = 0, first = 0] = await idsOf();
      expect(second).toBe(first + 1);
      const everything = { olderThanMs: 99_999_999, importantRowsMax: 0, plainRowsMax: 0 };
      expect(await store.audit.pruneEvents(everything)).toBe(2);
      await store.audit.appendEvents([sampleExchange(ids)]);
      expect((await idsOf())[0]).toBeGreaterThan(second);
    });

    test('a batch that is sent again is stored once', async () => {
      const { store, organizationId, ids } = await begin();
      const events = [sampleExchange(ids)];
      await store.audit.appendEvents(events, { writer: 'w1', sequence: 1 });
      await store.audit.appendEvents(events, { writer: 'w1', sequence: 1 });
      await store.audit.appendEvents(events, { writer: 'w2', sequence: 1 });
      await store.audit.appendEvents(events, { writer: 'w1', sequence: 2 });
      const rows = await store.audit.listNetwork(organizationId, ids.sandboxId, { limit: 9 });
      expect(rows).toHaveLength(3);
    });

    test('a full batch is taken, a larger one refused', async () => {
      const { store, organizationId, ids } = await begin();
      const events = Array.from({ length: FIXED.storeBatchRowsMax }, (_, index) =>
        sampleExchange(ids, { tsMs: index }),
      );
      await store.audit.appendEvents(events);
      const rows = await store.audit.listNetwork(organizationId, ids.sandboxId, { limit: 1_000 });
      expect(rows.map((row) => row.event.tsMs)).toEqual(
        Array.from({ length: FIXED.storeBatchRowsMax }, (_, index) => index).toReversed(),
      );
      await expect(store.audit.appendEvents([...events, sampleExchange(ids)])).rejects.toThrow(
        'bounded',
      );
    });

    test('a secret is paged by id and filtered by status', async () => {
      const { store, organizationId, ids } = await begin();
      const secretId = randomUUID();
      const statuses = [200, 204, 301, 404, 500, 0];
      await store.audit.appendEvents(
        statuses.map((status) =>
          sampleExchange(ids, { status, secrets: [{ secretId, version: 1 }] }),
        ),
      );
      const list = async (filter: { beforeId?: number; status?: '2xx' | '3xx' | 'errors' }) =>
        store.audit.listSecretAudit(organizationId, secretId, { limit: 10, ...filter });
      const statusesOf = (rows: Awaited<ReturnType<typeof list>>) =>
        rows.map((row) => (row.event.kind === 'exchange' ? row.event.status : null));
      expect(statusesOf(await list({}))).toEqual(statuses.toReversed());
      expect(statusesOf(await list({ status: '2xx' }))).toEqual([204, 200]);
      expect(statusesOf(await list({ status: '3xx' }))).toEqual([301]);
      expect(statusesOf(await list({ status: 'errors' }))).toEqual([500, 404]);
      const third = (await list({}))[2]?.id ?? 0;
      expect(statusesOf(await list({ beforeId: third }))).toEqual([301, 204, 200]);
    });

    test('the network log is ordered by time, kind and id, and paged without gaps', async () => {
      const { store, organizationId, ids } = await begin();
      const events: AuditEvent[] = [];
      for (let index = 0; index < 12; index += 1) {
        const tsMs = Math.floor(index / 5);
        events.push(
          index % 2 === 0 ? sampleExchange(ids, { tsMs }) : sampleConnection(ids, { tsMs }),
        );
      }
      await store.audit.appendEvents(events);
      const whole = await store.audit.listNetwork(organizationId, ids.sandboxId, { limit: 100 });
      const places = whole.map((row) => ({
        tsMs: row.event.tsMs,
        kind: row.event.kind,
        id: row.id,
      }));
      expect(places).toEqual([...places].sort(byPlaceDescending));
      const paged: unknown[] = [];
      let before: NetworkFilter['before'];
      for (;;) {
        const page = await store.audit.listNetwork(organizationId, ids.sandboxId, {
          limit: 5,
          ...(before === undefined ? {} : { before }),
        });
        const last = page.at(-1);
        if (last === undefined) break;
        paged.push(...page);
        before = { tsMs: last.event.tsMs, kind: last.event.kind, id: last.id };
      }
      expect(paged).toEqual(whole);
    });

    test('the network log is filtered by time and verdict, and by organization', async () => {
      const { store, organizationId, ids } = await begin();
      await store.audit.appendEvents([
        sampleExchange(ids, { tsMs: 1 }),
        sampleConnection(ids, { tsMs: 2 }),
        sampleConnection(ids, { tsMs: 3, verdict: 'blocked', decision: 'deny' }),
      ]);
      const times = async (filter: Omit<NetworkFilter, 'limit'>, organization = organizationId) => {
        const rows = await store.audit.listNetwork(organization, ids.sandboxId, {
          limit: 10,
          ...filter,
        });
        return rows.map((row) => row.event.tsMs);
      };
      expect(await times({ sinceMs: 2 })).toEqual([3, 2]);
      expect(await times({ beforeMs: 2 })).toEqual([1]);
      expect(await times({ verdict: 'blocked' })).toEqual([3]);
      expect(await times({ verdict: 'failed' })).toEqual([]);
      expect(await times({}, 'other')).toEqual([]);
    });
  });

  describe('audit retention', () => {
    const forever = { olderThanMs: 0, importantRowsMax: 1_000_000, plainRowsMax: 1_000_000 };

    async function timesOf(store: Store, organizationId: string, sandboxId: string) {
      const rows = await store.audit.listNetwork(organizationId, sandboxId, { limit: 1_000 });
      return rows.map((row) => row.event.tsMs).toReversed();
    }

    test('removes by age, with the rows under the secrets', async () => {
      const { store, organizationId, ids } = await begin();
      const secretId = randomUUID();
      await store.audit.appendEvents(
        [1, 2, 3, 4].map((tsMs) =>
          sampleExchange(ids, { tsMs, secrets: [{ secretId, version: 1 }] }),
        ),
      );
      expect(await store.audit.pruneEvents({ ...forever, olderThanMs: 3 })).toBe(2);
      expect(await store.audit.pruneEvents({ ...forever, olderThanMs: 3 })).toBe(0);
      expect(await timesOf(store, organizationId, ids.sandboxId)).toEqual([3, 4]);
      const used = await store.audit.listSecretAudit(organizationId, secretId, { limit: 10 });
      expect(used).toHaveLength(2);
    });

    test('counts each organization, and uses and refusals apart from plain traffic', async () => {
      const { store, organizationId, ids } = await begin();
      const other = await insertTenant(store, 'other');
      const otherIds = { organizationId: other.organization.id, sandboxId: 'other-sandbox' };
      const refused = { decision: 'deny', code: 'host_denied' } as const;
      await store.audit.appendEvents([
        ...[1, 2, 3].map((tsMs) => sampleExchange(ids, { tsMs })),
        ...[4, 5, 6].map((tsMs) => sampleExchange(ids, { tsMs, ...refused })),
        ...[7, 8].map((tsMs) => sampleExchange(otherIds, { tsMs })),
      ]);
      const limits = { olderThanMs: 0, importantRowsMax: 2, plainRowsMax: 1 };
      let removed = 0;
      for (;;) {
        const count = await store.audit.pruneEvents(limits);
        if (count === 0) break;
        removed += count;
      }
      expect(removed).toBe(4);
      expect(await timesOf(store, organizationId, ids.sandboxId)).toEqual([3, 5, 6]);
      expect(await timesOf(store, otherIds.organizationId, 'other-sandbox')).toEqual([8]);
    });

    test('takes one batch a call', async () => {
      const { store, ids } = await begin();
      for (let batch = 0; batch < 2; batch += 1) {
        await store.audit.appendEvents(
          Array.from({ length: 400 }, () => sampleExchange(ids, { tsMs: 1 })),
        );
      }
      const everything = { ...forever, olderThanMs: 2 };
      expect(await store.audit.pruneEvents(everything)).toBe(FIXED.storeBatchRowsMax);
      expect(await store.audit.pruneEvents(everything)).toBe(800 - FIXED.storeBatchRowsMax);
      expect(await store.audit.pruneEvents(everything)).toBe(0);
    });
  });
}

interface Place {
  readonly tsMs: number;
  readonly kind: string;
  readonly id: number;
}

function byPlaceDescending(one: Place, other: Place): number {
  if (one.tsMs !== other.tsMs) return other.tsMs - one.tsMs;
  if (one.kind !== other.kind) return one.kind < other.kind ? 1 : -1;
  return other.id - one.id;
}
