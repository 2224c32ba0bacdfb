import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { FIXED } from '../../src/kernel/limits.ts';
import { startUsageBook } from '../../src/usage/usage-book.ts';
import type { UsageMark } from '../../src/usage/usage-store.ts';
import { insertSampleSecret, insertTenant } from '../contract/samples.ts';
import { silentLogger } from '../store/silent-logger.ts';
import { openStore, temporaryDirectory } from '../store/temporary-store.ts';

/** A store that keeps the later time, as the contract says, and fails when told to. */
class MarkStore {
  readonly used = new Map<string, number>();
  readonly batches: number[] = [];
  failing = false;
  hanging = false;
  onRecord: () => void = () => undefined;

  async recordUsage(marks: readonly UsageMark[]): Promise<void> {
    this.onRecord();
    await (this.hanging ? new Promise(() => undefined) : Promise.resolve());
    if (this.failing) throw new Error('the store is away');
    this.batches.push(marks.length);
    for (const mark of marks) {
      if (mark.lastUsedAtMs === null) continue;
      const stored = this.used.get(mark.versionId) ?? 0;
      this.used.set(mark.versionId, Math.max(stored, mark.lastUsedAtMs));
    }
  }
}

function begin(flushIntervalMs = 1_000) {
  const store = new MarkStore();
  const book = startUsageBook({ store, logger: silentLogger, clock: systemClock, flushIntervalMs });
  onTestFinished(() => book.close(1));
  return { store, book };
}

describe('the usage book', () => {
  test('only moves forward, also when the clock jumps back', async () => {
    const { store, book } = begin();
    book.markUsed('s', 'v', 500);
    book.markUsed('s', 'v', 400);
    expect(book.pendingOf('s')).toEqual({ lastUsedAtMs: 500, lastAnsweredAtMs: null });
    await book.flush();
    book.markUsed('s', 'v', 450);
    await book.flush();
    expect(store.used.get('v')).toBe(500);
  });

  test('a secret is as new as the newest of its versions', () => {
    const { book } = begin();
    book.markUsed('s', 'v1', 100);
    book.markUsed('s', 'v2', 90);
    book.markAnswered('s', 'v2', 95);
    book.markUsed('other', 'v3', 999);
    expect(book.pendingOf('s')).toEqual({ lastUsedAtMs: 100, lastAnsweredAtMs: 95 });
    expect(book.pendingOf('none')).toEqual({ lastUsedAtMs: null, lastAnsweredAtMs: null });
  });

  test('nothing is missing for a reader of store and book while a flush is under way', async () => {
    const { store, book } = begin();
    const seen: (number | null)[] = [];
    store.onRecord = () => seen.push(book.pendingOf('s').lastUsedAtMs);
    book.markUsed('s', 'v', 100);
    await book.flush();
    seen.push(book.pendingOf('s').lastUsedAtMs);
    expect(seen).toEqual([100, 100]);
  });

  test('keeps what the store refused and sends it again, with what came since', async () => {
    const { store, book } = begin();
    store.failing = true;
    book.markUsed('s', 'v1', 100);
    const flushing = book.flush();
    book.markUsed('s', 'v1', 120);
    book.markUsed('s', 'v2', 110);
    await expect(flushing).rejects.toThrow('the store is away');
    expect(book.pendingOf('s').lastUsedAtMs).toBe(120);
    store.failing = false;
    await book.flush();
    expect([...store.used]).toEqual([
      ['v1', 120],
      ['v2', 110],
    ]);
  });

  test('flushes by itself and not when there is nothing', async () => {
    const { store, book } = begin(5);
    book.markUsed('s', 'v', 1);
    await expect.poll(() => store.used.get('v')).toBe(1);
    await book.flush();
    expect(store.batches).toEqual([1]);
  });

  test('sends bounded batches', async () => {
    const { store, book } = begin();
    for (let index = 0; index < 1_100; index += 1) book.markUsed(`s${index}`, `v${index}`, 1);
    await book.flush();
    expect(store.batches).toEqual([FIXED.storeBatchRowsMax, FIXED.storeBatchRowsMax, 100]);
  });

  test('is bounded while the store is away (I7)', async () => {
    const { store, book } = begin();
    store.failing = true;
    for (let index = 0; index < 200_100; index += 1) book.markUsed(`s${index}`, 'v', index + 1);
    expect(book.pendingOf('s0').lastUsedAtMs).toBe(1);
    expect(book.pendingOf('s200050').lastUsedAtMs).toBeNull();
    store.failing = false;
    await book.flush();
    book.markUsed('s200050', 'v', 7);
    expect(book.pendingOf('s200050').lastUsedAtMs).toBe(7);
  });

  test('stores everything at the end, and ends although the store is away', async () => {
    const { store, book } = begin();
    book.markUsed('s', 'v', 3);
    await book.close();
    expect(store.used.get('v')).toBe(3);
    const away = begin();
    away.store.failing = true;
    away.book.markUsed('s', 'v', 3);
    await expect(away.book.close(1)).resolves.toBeUndefined();
    const hanging = begin();
    hanging.store.hanging = true;
    hanging.book.markUsed('s', 'v', 3);
    await expect(hanging.book.close(1)).resolves.toBeUndefined();
  });

  test('whatever the order of marks, flushes and failures, the latest time is stored', async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('mark' as const),
        version: fc.constantFrom('v1', 'v2', 'v3'),
        atMs: fc.integer({ min: 1, max: 1_000 }),
      }),
      fc.record({ kind: fc.constant('flush' as const), failing: fc.boolean() }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const store = new MarkStore();
        const book = startUsageBook({ store, logger: silentLogger, clock: systemClock });
        const expected = new Map<string, number>();
        const flushes: Promise<unknown>[] = [];
        for (const each of steps) {
          if (each.kind === 'mark') {
            book.markUsed('s', each.version, each.atMs);
            expected.set(each.version, Math.max(expected.get(each.version) ?? 0, each.atMs));
          } else {
            store.failing = each.failing;
            flushes.push(book.flush().catch(() => undefined));
          }
        }
        await Promise.all(flushes);
        store.failing = false;
        await book.close();
        expect(Object.fromEntries(store.used)).toEqual(Object.fromEntries(expected));
      }),
    );
  });
});

test('the times are in the database', async () => {
  const store = await openStore(temporaryDirectory());
  const tenant = await insertTenant(store, 'acme');
  const secret = await insertSampleSecret(store, tenant);
  const book = startUsageBook({ store: store.usage, logger: silentLogger, clock: systemClock });
  book.markUsed(secret.id, secret.activeVersionId, 1_000);
  book.markAnswered(secret.id, secret.activeVersionId, 1_050);
  await book.close();
  const row = await store.secrets.readSecretById(tenant.organization.id, secret.id);
  expect(row?.usage).toEqual({ lastUsedAtMs: 1_000, lastAnsweredAtMs: 1_050 });
});
