/** The whole trail of an organization: what every database must do. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { TrailFilter, TrailPlace, TrailRow } from '../../src/audit/audit-store.ts';
import type { AuditEvent } from '../../src/audit/event.ts';
import type { Store } from '../../src/store/store.ts';
import { insertSampleSandbox, insertTenant, sampleConnection, sampleExchange } from './samples.ts';
import type { MakeStore } from './store-contracts.ts';

type Asked = Omit<Partial<TrailFilter>, 'before'>;

const EVERYTHING = { workspaceIds: null, secretIds: null };

/** Page after page to the end. */
async function readAll(
  store: Store,
  organizationId: string,
  asked: Asked = {},
  between: () => Promise<void> = async () => undefined,
): Promise<TrailRow[]> {
  const rows: TrailRow[] = [];
  let before: TrailPlace | undefined;
  for (;;) {
    const place = before === undefined ? {} : { before };
    const filter = { ...EVERYTHING, limit: 3, ...asked, ...place };
    const page = await store.audit.listTrail(organizationId, filter);
    expect(page.rows.length).toBeLessThanOrEqual(filter.limit);
    rows.push(...page.rows);
    if (page.next === null) return rows;
    before = page.next;
    await between();
  }
}

export function describeTrailContract(makeStore: MakeStore): void {
  async function begin() {
    const store = await makeStore();
    const tenant = await insertTenant(store, 'acme');
    const sandbox = await insertSampleSandbox(store, tenant, { name: 'agent' });
    const organizationId = tenant.organization.id;
    return { store, tenant, sandbox, ids: { organizationId, sandboxId: sandbox.id } };
  }

  describe('the whole trail', () => {
    test('uses, refusals and plain traffic are one list by time and id, paged without gaps', async () => {
      const { store, ids } = await begin();
      const secrets = [{ secretId: randomUUID(), version: 1 }];
      const events: AuditEvent[] = Array.from({ length: 20 }, (_, index) =>
        index % 3 === 0
          ? sampleExchange(ids, { tsMs: Math.floor(index / 4), secrets })
          : sampleConnection(ids, { tsMs: Math.floor(index / 4) }),
      );
      await store.audit.appendEvents(events);
      await store.audit.appendEvents([sampleExchange({ ...ids, organizationId: 'other' })]);
      const rows = await readAll(store, ids.organizationId);
      expect(rows.map((row) => row.event)).toEqual(events.toReversed());
      expect(rows.map((row) => row.sandboxName)).toEqual(events.map(() => 'agent'));
    });

    test('pages are stable while events come, also late ones of an earlier time', async () => {
      const { store, ids } = await begin();
      const at = (tsMs: number) => sampleExchange(ids, { tsMs });
      await store.audit.appendEvents([10, 20, 30, 40, 50, 60, 70].map(at));
      const rows = await readAll(store, ids.organizationId, {}, () =>
        store.audit.appendEvents([at(99), at(65)]),
      );
      const times = rows.map((row) => row.event.tsMs);
      expect(times).toEqual([70, 60, 50, 40, 30, 20, 10]);
    });

    test('filters by time, sandbox, secret, host, status and code', async () => {
      const { store, ids } = await begin();
      const secretId = randomUUID();
      const used = [{ secretId, version: 1 }];
      await store.audit.appendEvents([
        sampleExchange(ids, { tsMs: 1, host: 'a.example.com', status: 200, secrets: used }),
        sampleExchange({ ...ids, sandboxId: 'gone' }, { tsMs: 2, status: 404, secrets: used }),
        sampleExchange(ids, { tsMs: 3, status: 503, code: 'credential_revoked' }),
        sampleConnection(ids, { tsMs: 4, host: 'a.example.com' }),
      ]);
      const times = async (asked: Asked) =>
        (await readAll(store, ids.organizationId, asked)).map((row) => row.event.tsMs);
      expect(await times({ sinceMs: 2, untilMs: 4 })).toEqual([3, 2]);
      expect(await times({ sandboxId: 'gone' })).toEqual([2]);
      expect(await times({ secretId })).toEqual([2, 1]);
      expect(await times({ secretId, untilMs: 2 })).toEqual([1]);
      expect(await times({ secretId, sandboxId: ids.sandboxId, status: [200, 299] })).toEqual([1]);
      expect(await times({ host: 'a.example.com' })).toEqual([4, 1]);
      expect(await times({ status: [400, 999] })).toEqual([3, 2]);
      expect(await times({ code: 'credential_revoked' })).toEqual([3]);
      expect(await times({ sandboxId: ids.sandboxId, host: 'a.example.com' })).toEqual([4, 1]);
    });

    test('what was only observed is found alone, and kept like a refusal', async () => {
      const { store, ids } = await begin();
      await store.audit.appendEvents([
        sampleConnection(ids, { tsMs: 1, wouldRefuse: 'host_not_allowed' }),
        sampleConnection(ids, { tsMs: 2 }),
        sampleExchange(ids, { tsMs: 3, wouldRefuse: 'port_denied' }),
        sampleExchange(ids, { tsMs: 4, status: 403, decision: 'deny', code: 'host_denied' }),
      ]);
      const times = async (asked: Asked) =>
        (await readAll(store, ids.organizationId, asked)).map((row) => row.event.tsMs);
      expect(await times({ observed: true })).toEqual([3, 1]);
      expect(await times({ observed: true, sandboxId: 'other' })).toEqual([]);
      const filter = { limit: 9, observed: true } as const;
      const network = await store.audit.listNetwork(ids.organizationId, ids.sandboxId, filter);
      expect(network.map((row) => row.event.wouldRefuse)).toEqual([
        'port_denied',
        'host_not_allowed',
      ]);
      const retention = { olderThanMs: 0, importantRowsMax: 9, plainRowsMax: 0 };
      while ((await store.audit.pruneEvents(retention)) > 0);
      expect(await times({})).toEqual([4, 3, 1]);
    });

    test('a rare match behind thousands of others is found in bounded calls', async () => {
      const { store, ids } = await begin();
      const used = [{ secretId: randomUUID(), version: 1 }];
      await store.audit.appendEvents([sampleExchange(ids, { tsMs: 1, host: 'rare.example.com' })]);
      for (let batch = 0; batch < 24; batch += 1) {
        const kind = batch % 2 === 0 ? { secrets: used } : {};
        await store.audit.appendEvents(
          Array.from({ length: 500 }, (_, index) =>
            sampleExchange(ids, { tsMs: 2 + batch * 500 + index, ...kind }),
          ),
        );
      }
      const filter = { ...EVERYTHING, limit: 5, host: 'rare.example.com' };
      const first = await store.audit.listTrail(ids.organizationId, filter);
      expect(first.rows).toEqual([]);
      expect(first.next).not.toBeNull();
      const rows = await readAll(store, ids.organizationId, { host: 'rare.example.com' });
      expect(rows.map((row) => row.event.tsMs)).toEqual([1]);
      expect(await readAll(store, ids.organizationId, { limit: 1_000 })).toHaveLength(12_001);
    });

    test('what a key may not reach is not there', async () => {
      const { store, tenant, ids } = await begin();
      const secretId = randomUUID();
      await store.audit.appendEvents([
        sampleExchange(ids, { tsMs: 1, secrets: [{ secretId, version: 1 }] }),
        sampleExchange({ ...ids, sandboxId: 'elsewhere' }, { tsMs: 2 }),
      ]);
      const times = async (asked: Asked) =>
        (await readAll(store, ids.organizationId, asked)).map((row) => row.event.tsMs);
      expect(await times({ workspaceIds: [tenant.workspace.id] })).toEqual([1]);
      expect(await times({ workspaceIds: ['other'] })).toEqual([]);
      expect(await times({ workspaceIds: [] })).toEqual([]);
      expect(await times({ secretIds: [secretId] })).toEqual([1]);
      expect(await times({ secretIds: [randomUUID()] })).toEqual([]);
      expect(await times({ secretIds: [] })).toEqual([]);
    });
  });

  describe('what came after an event', () => {
    test('is read in order of ids, of one organization, and goes on where it ended', async () => {
      const { store, ids } = await begin();
      expect(await store.audit.readLastEventId()).toBe(0);
      const other = { ...ids, organizationId: 'other' };
      await store.audit.appendEvents([
        sampleExchange(ids, { tsMs: 3 }),
        sampleExchange(other, { tsMs: 2 }),
        sampleExchange(ids, { tsMs: 1 }),
        sampleExchange(other, { tsMs: 0 }),
      ]);
      const last = await store.audit.readLastEventId();
      const read = (afterId: number, limit: number) =>
        store.audit.listTrailAfter(ids.organizationId, afterId, { ...EVERYTHING, limit });
      const first = await read(last - 4, 1);
      expect(first.rows.map((row) => row.event.tsMs)).toEqual([3]);
      const rest = await read(first.lastId, 5);
      expect(rest.rows.map((row) => row.event.tsMs)).toEqual([1]);
      expect(rest.lastId).toBe(last);
      expect(await read(last, 5)).toEqual({ rows: [], lastId: last });
    });
  });
}
