import { expect, test } from 'vitest';
import { startRetention } from '../../src/audit/retention.ts';
import { insertTenant, sampleExchange } from '../contract/samples.ts';
import { silentLogger } from '../store/silent-logger.ts';
import { openStore, temporaryDirectory } from '../store/temporary-store.ts';

const DAY_MS = 86_400_000;

test('removes what is older than the days, in several batches, and nothing else', async () => {
  const store = await openStore(temporaryDirectory());
  const { organization } = await insertTenant(store, 'acme');
  const ids = { organizationId: organization.id, sandboxId: 'box' };
  const nowMs = 100 * DAY_MS;
  for (const tsMs of [nowMs - 31 * DAY_MS, nowMs - 31 * DAY_MS, nowMs - 29 * DAY_MS]) {
    await store.audit.appendEvents(
      Array.from({ length: 400 }, () => sampleExchange(ids, { tsMs })),
    );
  }
  const retention = startRetention({
    store: store.audit,
    clock: { nowMs: () => nowMs, monotonicMs: () => 0 },
    logger: silentLogger,
    retentionDays: 30,
    importantRowsMax: 1_000,
    plainRowsMax: 1_000,
  });
  const [one, two] = await Promise.all([retention.prune(), retention.prune()]);
  expect([one, two]).toEqual([800, 800]);
  expect(await retention.prune()).toBe(0);
  await retention.close();
  const rows = await store.audit.listNetwork(organization.id, 'box', { limit: 1_000 });
  expect(rows).toHaveLength(400);
});

test('goes on after the store failed', async () => {
  let calls = 0;
  const retention = startRetention({
    store: {
      pruneEvents() {
        calls += 1;
        return Promise.reject(new Error('the store is away'));
      },
    },
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
    logger: silentLogger,
    retentionDays: null,
    importantRowsMax: 1,
    plainRowsMax: 1,
    intervalMs: 5,
  });
  await expect.poll(() => calls).toBeGreaterThan(2);
  await retention.close();
});

test('a clock that jumps forward removes nothing for a day', async () => {
  const asked: number[] = [];
  const clock = { wallMs: 1_000 * DAY_MS, monotonicMs: 5 };
  const warned: unknown[] = [];
  const retention = startRetention({
    store: {
      pruneEvents({ olderThanMs }) {
        asked.push(olderThanMs / DAY_MS);
        return Promise.resolve(0);
      },
    },
    clock: { nowMs: () => clock.wallMs, monotonicMs: () => clock.monotonicMs },
    logger: { ...silentLogger, warn: (fields) => warned.push(fields) },
    retentionDays: 30,
    importantRowsMax: 1,
    plainRowsMax: 1,
  });
  const pass = async (wallDays: number, monotonicDays = wallDays): Promise<void> => {
    clock.wallMs += wallDays * DAY_MS;
    clock.monotonicMs += monotonicDays * DAY_MS;
    await retention.prune();
  };

  await pass(1);
  await pass(3_650, 0);
  await pass(0.5);
  expect(asked.splice(0)).toEqual([971, 971, 971.5]);
  expect(warned).toEqual([{ days: 3_650 }]);
  // Nobody set it right: so it is right.
  await pass(0.5);
  expect(asked.splice(0)).toEqual([4_622]);
  // It was wrong, and is set back; then forward again, and back within the day.
  await pass(-3_650, 0);
  await pass(1);
  await pass(400, 0);
  await pass(-400, 0);
  expect(asked).toEqual([972, 973, 973, 973]);
  await retention.close();
});
