import { describe, expect, onTestFinished, test } from 'vitest';
import { startTrail } from '../../src/audit/trail.ts';
import type { RunningTrail, TrailOptions } from '../../src/audit/trail.ts';
import { FIXED } from '../../src/kernel/limits.ts';
import { insertTenant, sampleExchange } from '../contract/samples.ts';
import { silentLogger } from '../store/silent-logger.ts';
import { openStore, temporaryDirectory } from '../store/temporary-store.ts';
import { RecordingStore } from './recording-store.ts';

function begin(options: Partial<TrailOptions> = {}, auditQueueMax = 50_000) {
  const store = new RecordingStore();
  const dropped: number[] = [];
  const trail = startTrail({
    store,
    limits: { auditQueueMax },
    onFull: 'drop',
    sink: null,
    logger: silentLogger,
    metrics: { auditDropped: (count) => dropped.push(count) },
    flushIntervalMs: 5,
    ...options,
  });
  onTestFinished(async () => {
    store.release();
    await trail.close(1);
  });
  return { store, trail, dropped };
}

function event(sandboxId: string, requestId = 'r') {
  return sampleExchange({ organizationId: 'org', sandboxId }, { requestId });
}

function recordMany(trail: RunningTrail, sandboxId: string, count: number): void {
  for (let index = 0; index < count; index += 1) trail.record(event(sandboxId, `${index}`));
}

describe('the trail', () => {
  test('hands over every event once, in order, in bounded batches (I4)', async () => {
    const { store, trail } = begin();
    recordMany(trail, 'a', 1_234);
    await trail.flush();
    expect(store.events.map((stored) => stored.requestId)).toEqual(
      Array.from({ length: 1_234 }, (_, index) => `${index}`),
    );
    expect(store.batches.map((batch) => batch.length)).toEqual([
      FIXED.storeBatchRowsMax,
      FIXED.storeBatchRowsMax,
      234,
    ]);
    expect(trail.queued).toBe(0);
  });

  test('needs nobody to flush it', async () => {
    const { store, trail } = begin();
    recordMany(trail, 'a', 3);
    await expect.poll(() => store.events.length).toBe(3);
    recordMany(trail, 'a', 2);
    await expect.poll(() => store.events.length).toBe(5);
  });

  test('keeps events while the store fails and hands them over when it is back', async () => {
    const { store, trail } = begin();
    store.mode = 'fail';
    recordMany(trail, 'a', 10);
    await expect(trail.flush()).rejects.toThrow('the store is away');
    recordMany(trail, 'b', 10);
    expect(trail.queued).toBe(20);
    store.mode = 'store';
    await trail.flush();
    expect(store.events).toHaveLength(20);
  });

  test('tries again by itself', async () => {
    const { store, trail } = begin();
    store.mode = 'fail';
    recordMany(trail, 'a', 1);
    await expect.poll(() => store.calls).toBeGreaterThan(0);
    store.mode = 'store';
    await expect.poll(() => store.events.length, { timeout: 5_000 }).toBe(1);
  });

  test('stores a batch once although its answer was lost', async () => {
    const { store, trail } = begin();
    store.mode = 'store-and-fail';
    recordMany(trail, 'a', 5);
    await expect(trail.flush()).rejects.toThrow('answer was lost');
    recordMany(trail, 'a', 2);
    store.mode = 'store';
    await trail.flush();
    expect(store.batches.map((batch) => batch.length)).toEqual([5, 2]);
  });

  test('two flushes at once do not send a batch twice', async () => {
    const { store, trail } = begin();
    recordMany(trail, 'a', 600);
    await Promise.all([trail.flush(), trail.flush(), trail.flush()]);
    expect(store.events).toHaveLength(600);
    expect(store.calls).toBe(2);
  });

  test('shows events to subscribers until they leave', () => {
    const { trail } = begin();
    const seen: string[] = [];
    const leave = trail.subscribe((recorded) => seen.push(recorded.requestId));
    trail.record(event('a', 'one'));
    leave();
    trail.record(event('a', 'two'));
    expect(seen).toEqual(['one']);
  });

  test('rows are in the database after a flush', async () => {
    const store = await openStore(temporaryDirectory());
    const { organization } = await insertTenant(store, 'acme');
    const { trail } = begin({ store: store.audit });
    trail.record(sampleExchange({ organizationId: organization.id, sandboxId: 'box' }));
    await trail.flush();
    const rows = await store.audit.listNetwork(organization.id, 'box', { limit: 10 });
    expect(rows).toHaveLength(1);
  });
});

describe('a full trail', () => {
  test('drops and counts what has no room, by sandbox (I4, I7)', async () => {
    const { store, trail, dropped } = begin({}, 100);
    store.mode = 'fail';
    recordMany(trail, 'flood', 1_000);
    const kept = trail.queued;
    expect(kept).toBeLessThanOrEqual(100);
    expect(trail.droppedOf('flood')).toBe(1_000 - kept);
    expect(dropped.reduce((sum, count) => sum + count, 0)).toBe(1_000 - kept);
    expect(trail.droppedOf('quiet')).toBe(0);
    store.mode = 'store';
    await trail.flush();
    expect(store.events).toHaveLength(kept);
  });

  test('leaves room for the others: one flooding sandbox does not take theirs', () => {
    const { store, trail } = begin({}, 100);
    store.mode = 'fail';
    recordMany(trail, 'flood', 1_000);
    for (const sandboxId of ['b', 'c', 'd', 'e']) {
      recordMany(trail, sandboxId, 5);
      expect(trail.droppedOf(sandboxId)).toBe(0);
    }
    expect(trail.queued).toBeLessThanOrEqual(100);
  });

  test('never holds more than its bound, whoever comes', () => {
    const { store, trail } = begin({}, 100);
    store.mode = 'fail';
    for (let sandbox = 0; sandbox < 500; sandbox += 1) recordMany(trail, `s${sandbox}`, 3);
    expect(trail.queued).toBe(100);
  });

  test('has room again when the store has taken a batch', async () => {
    const { store, trail } = begin({}, 10);
    store.mode = 'fail';
    recordMany(trail, 'a', 100);
    store.mode = 'store';
    await trail.flush();
    const before = trail.droppedOf('a');
    trail.record(event('a'));
    expect(trail.droppedOf('a')).toBe(before);
    expect(trail.queued).toBe(1);
  });
});

describe('reservations', () => {
  test('with refuse, a granted one always finds its room', async () => {
    const { store, trail } = begin({ onFull: 'refuse' }, 10);
    store.mode = 'fail';
    let granted = 0;
    for (let sandbox = 0; sandbox < 30; sandbox += 1) {
      if (trail.reserve(`s${sandbox}`)) granted += 1;
    }
    expect(granted).toBe(10);
    // Unreserved events of others find none and do not take the reserved places.
    trail.record(event('stranger'));
    expect(trail.droppedOf('stranger')).toBe(1);
    for (let sandbox = 0; sandbox < 10; sandbox += 1) trail.record(event(`s${sandbox}`));
    store.mode = 'store';
    await trail.flush();
    expect(store.events).toHaveLength(10);
  });

  test('given back, they can be granted again', () => {
    const { trail } = begin({ onFull: 'refuse' }, 2);
    expect(trail.reserve('a')).toBe(true);
    expect(trail.reserve('b')).toBe(true);
    expect(trail.reserve('c')).toBe(false);
    trail.release('a');
    trail.release('a');
    expect(trail.reserve('c')).toBe(true);
    expect(trail.reserve('d')).toBe(false);
  });

  test('with drop, asking always succeeds and holds nothing', () => {
    const { trail } = begin({ onFull: 'drop' }, 2);
    for (let ask = 0; ask < 10; ask += 1) expect(trail.reserve('a')).toBe(true);
    trail.record(event('b'));
    expect(trail.droppedOf('b')).toBe(0);
  });
});

describe('closing', () => {
  test('stores what is queued', async () => {
    const { store, trail } = begin();
    recordMany(trail, 'a', 700);
    expect(await trail.close()).toBe(0);
    expect(store.events).toHaveLength(700);
  });

  test('ends although the store is away, and says what was lost', async () => {
    const { store, trail, dropped } = begin();
    store.mode = 'fail';
    recordMany(trail, 'a', 7);
    expect(await trail.close(1)).toBe(7);
    expect(dropped).toEqual([7]);
  });

  test('ends although the store hangs', async () => {
    const { store, trail } = begin();
    store.mode = 'hang';
    recordMany(trail, 'a', 7);
    expect(await trail.close(20)).toBe(7);
  });
});
