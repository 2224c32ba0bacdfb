import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { FIXED } from '../../src/kernel/limits.ts';
import { startUsageBook } from '../../src/usage/usage-book.ts';
import type { AuthFailure, UsageBatch, UsageMark } from '../../src/usage/usage-store.ts';
import { insertSampleSecret, insertTenant } from '../contract/samples.ts';
import { silentLogger } from '../store/silent-logger.ts';
import { openStore, temporaryDirectory } from '../store/temporary-store.ts';

/** A store that keeps the contract's promises in memory, and fails when told to. */
class MarkStore {
  readonly used = new Map<string, number>();
  readonly requests = new Map<string, number>();
  readonly failures = new Map<string, number>();
  readonly #stored = new Set<number>();
  /** Takes the next batch and lets its answer get lost. */
  losing = false;
  readonly batches: number[] = [];
  failing = false;
  hanging = false;
  onRecord: () => void = () => undefined;

  async recordUsage(marks: readonly UsageMark[], batch?: UsageBatch): Promise<void> {
    this.onRecord();
    await (this.hanging ? new Promise(() => undefined) : Promise.resolve());
    if (this.failing) throw new Error('the store is away');
    this.batches.push(marks.length);
    const sequence = batch?.sequence ?? 0;
    if (!this.#stored.has(sequence)) for (const mark of marks) this.#take(mark);
    this.#stored.add(sequence);
    if (this.losing) throw new Error('the answer got lost');
  }

  #take(mark: UsageMark): void {
    const { versionId } = mark;
    if (mark.lastUsedAtMs !== null) {
      this.used.set(versionId, Math.max(this.used.get(versionId) ?? 0, mark.lastUsedAtMs));
    }
    this.requests.set(versionId, (this.requests.get(versionId) ?? 0) + mark.requests);
    const before = mark.wasAccepted ? 0 : (this.failures.get(versionId) ?? 0);
    this.failures.set(versionId, before + mark.authFailures);
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

describe('what is counted', () => {
  const used = (versionId: string, rotation: number) => ({ secretId: 's', versionId, rotation });

  function failure(versionId: string, atMs: number): AuthFailure {
    const ids = { organizationId: 'o', sandboxId: 'b', secretId: 's', versionId, version: 1 };
    return { ...ids, host: 'api.example.com', kind: 'unknown', atMs };
  }

  test('counts once, also when the answer to its batch got lost', async () => {
    const { store, book } = begin();
    book.countRequest(used('v', 1));
    book.countRequest(used('v', 1));
    store.losing = true;
    await expect(book.flush()).rejects.toThrow('got lost');
    book.countRequest(used('v', 1));
    store.losing = false;
    await book.flush();
    expect(store.requests.get('v')).toBe(3);
    expect(store.batches).toEqual([1, 1, 1]);
  });

  test('begins anew with a rotation; what was decided before it does not count', async () => {
    const { store, book } = begin();
    book.countRequest(used('v', 1));
    book.countRequest(used('v', 2));
    book.countRequest(used('v', 1));
    book.countRequest(used('v', 2));
    await book.flush();
    expect(store.requests.get('v')).toBe(2);
  });

  test('all who ask for a flush while one is under way share the next', async () => {
    const { store, book } = begin();
    book.countRequest(used('v', 1));
    const first = book.flush();
    book.countRequest(used('v', 1));
    await Promise.all([first, book.flush(), book.flush(), book.flush()]);
    expect([store.requests.get('v'), store.batches]).toEqual([2, [1, 1]]);
  });

  test('refusals count from the last accepted one, across flushes; a listener hears of each', async () => {
    const { store, book } = begin();
    const heard: number[] = [];
    const stop = book.onAuthFailure(({ atMs }) => heard.push(atMs));
    book.markAuthFailure(failure('v', 1));
    await book.flush();
    book.markAuthFailure(failure('v', 2));
    await book.flush();
    expect(store.failures.get('v')).toBe(2);
    book.markAuthFailure(failure('v', 3));
    book.markAccepted('s', 'v');
    stop();
    book.markAuthFailure(failure('v', 4));
    await book.flush();
    expect([store.failures.get('v'), heard]).toEqual([1, [1, 2, 3]]);
  });

  test('a listener that throws takes nothing from the others or from the book', async () => {
    const { store, book } = begin();
    const heard: string[] = [];
    book.onAuthFailure(() => {
      throw new Error('deaf');
    });
    book.onAuthFailure(({ kind }) => heard.push(kind));
    book.markAuthFailure(failure('v', 1));
    await book.flush();
    expect([store.failures.get('v'), heard]).toEqual([1, ['unknown']]);
  });

  test('whatever is lost, refused and flushed in between, counts are exact', async () => {
    const act = fc.constantFrom('count', 'count', 'count', 'flush', 'lose', 'fail');
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
        const store = new MarkStore();
        const book = startUsageBook({ store, logger: silentLogger, clock: systemClock });
        for (const each of acts) {
          if (each === 'count') {
            book.countRequest(used('v', 1));
            continue;
          }
          store.losing = each === 'lose';
          store.failing = each === 'fail';
          // Some are waited for, some overlap with what comes next.
          const flushed = book.flush().catch(() => undefined);
          if (each !== 'flush') await flushed;
        }
        store.losing = false;
        store.failing = false;
        await book.close();
        expect(store.requests.get('v') ?? 0).toBe(acts.filter((one) => one === 'count').length);
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
