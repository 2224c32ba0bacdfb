/** Current policy: warm answers, single flight, and changes that meet a read half-way. */
import { describe, expect, test } from 'vitest';
import { hashToken } from '../../src/kernel/ids.ts';
import { Refusal } from '../../src/kernel/errors.ts';
import type { PolicyChange } from '../../src/policy/policy-feed.ts';
import type { PolicySource, PolicyStore, TokenOwner } from '../../src/policy/policy-store.ts';
import { SnapshotFeed } from '../../src/policy/snapshot-feed.ts';
import { policySource } from './fixtures.ts';

/** A store whose answers the test holds back: what a read sees is fixed when the test releases it. */
class GatedStore implements PolicyStore {
  sandboxes = new Map<string, PolicySource>();
  tokens = new Map<string, TokenOwner>();
  ranges: { sandboxId: string; sourceCidrs: string[] }[] = [];
  reads = 0;
  failure: Error | null = null;
  #gates: (() => void)[] | null = null;

  hold(): void {
    this.#gates = [];
  }

  release(): void {
    const gates = this.#gates ?? [];
    this.#gates = null;
    for (const open of gates) open();
  }

  readPolicySource(sandboxId: string): Promise<PolicySource | undefined> {
    return this.#answer(this.sandboxes.get(sandboxId));
  }

  readTokenOwner(tokenHash: string): Promise<TokenOwner | undefined> {
    return this.#answer(this.tokens.get(tokenHash));
  }

  listSourceRanges(): Promise<{ sandboxId: string; sourceCidrs: string[] }[]> {
    return this.#answer(this.ranges);
  }

  async #answer<T>(seen: T): Promise<T> {
    this.reads += 1;
    if (this.failure !== null) throw this.failure;
    if (this.#gates !== null) await new Promise<void>((open) => this.#gates?.push(open));
    return seen;
  }
}

function start(snapshotCacheMax = 10) {
  const store = new GatedStore();
  const errors: unknown[] = [];
  const dependents = new Map<string, string[]>();
  const time = { nowMs: 1_000, monotonicMs: 0 };
  const feed = new SnapshotFeed({
    store,
    sandboxIdsOfSecret: async (_organizationId, secretId) => {
      if (store.failure !== null) throw store.failure;
      return dependents.get(secretId) ?? [];
    },
    clock: { nowMs: () => time.nowMs, monotonicMs: () => time.monotonicMs },
    limits: { snapshotCacheMax },
    onError: (error) => errors.push(error),
  });
  return { store, feed, errors, dependents, time };
}

function named(id: string, name: string): PolicySource {
  return policySource({ sandbox: { id, name } });
}

const change = (kind: 'sandbox' | 'token' | 'disconnect', sandboxId = 'a'): PolicyChange => ({
  kind,
  organizationId: 'org-1',
  sandboxId,
});

async function codeOf(pending: unknown): Promise<string> {
  try {
    await pending;
  } catch (error) {
    return error instanceof Refusal ? error.code : 'not a refusal';
  }
  return 'no refusal';
}

describe('snapshots', () => {
  test('cold reads once for all who ask; warm is synchronous', async () => {
    const { store, feed } = start();
    store.sandboxes.set('a', named('a', 'first'));
    const all = await Promise.all([feed.snapshotOf('a'), feed.snapshotOf('a')]);
    expect(all.map((snapshot) => snapshot?.sandboxName)).toEqual(['first', 'first']);
    expect(store.reads).toBe(1);
    expect(feed.snapshotOf('a')).toBe(all[0]);
  });

  test('after announce every later answer sees the change', async () => {
    const { store, feed } = start();
    store.sandboxes.set('a', named('a', 'first'));
    const before = await feed.snapshotOf('a');
    store.sandboxes.set('a', named('a', 'second'));
    await feed.announce(change('sandbox'));
    const after = await feed.snapshotOf('a');
    expect(after?.sandboxName).toBe('second');
    expect(after?.revision).toBeGreaterThan(before?.revision ?? Infinity);
    store.sandboxes.delete('a');
    await feed.announce(change('sandbox'));
    expect(await feed.snapshotOf('a')).toBeUndefined();
  });

  test.each(['sandbox', 'secret'] as const)(
    'a read that began before a %s change is neither kept nor handed out',
    async (kind) => {
      const { store, feed, dependents } = start();
      store.sandboxes.set('a', named('a', 'old'));
      dependents.set('s', ['a']);
      store.hold();
      const asked = feed.snapshotOf('a');
      store.sandboxes.set('a', named('a', 'new'));
      await feed.announce(
        kind === 'sandbox'
          ? change('sandbox')
          : { kind: 'secret', organizationId: 'org-1', secretId: 's' },
      );
      store.release();
      expect((await asked)?.sandboxName).toBe('new');
      expect((await feed.snapshotOf('a'))?.sandboxName).toBe('new');
      expect(store.reads).toBe(2);
    },
  );

  test('a secret change reaches every dependent sandbox and no other', async () => {
    const { store, feed, dependents } = start();
    for (const id of ['a', 'b', 'c']) {
      store.sandboxes.set(id, named(id, 'old'));
      await feed.snapshotOf(id);
      store.sandboxes.set(id, named(id, 'new'));
    }
    dependents.set('s', ['a', 'b']);
    const heard: string[] = [];
    feed.onChange((sandboxId, kind) => heard.push(`${sandboxId} ${kind}`));
    await feed.announce({ kind: 'secret', organizationId: 'org-1', secretId: 's' });
    const names = await Promise.all(['a', 'b', 'c'].map(async (id) => feed.snapshotOf(id)));
    expect(names.map((snapshot) => snapshot?.sandboxName)).toEqual(['new', 'new', 'old']);
    expect(heard).toEqual(['a secret', 'b secret']);
  });

  test('listeners are called after the change is in force, and one that throws harms nobody', async () => {
    const { store, feed, errors } = start();
    store.sandboxes.set('a', named('a', 'old'));
    await feed.snapshotOf('a');
    store.sandboxes.set('a', named('a', 'new'));
    const seen: unknown[] = [];
    feed.onChange(() => {
      throw new Error('listener');
    });
    const unsubscribe = feed.onChange((id) => seen.push(feed.snapshotOf(id)));
    await feed.announce(change('sandbox'));
    expect(
      (await Promise.all(seen)).map((s) => (s as { sandboxName: string }).sandboxName),
    ).toEqual(['new']);
    expect(errors).toHaveLength(1);
    unsubscribe();
    await feed.announce(change('disconnect'));
    expect(seen).toHaveLength(1);
  });

  test('disconnect leaves the policy warm', async () => {
    const { store, feed } = start();
    store.sandboxes.set('a', named('a', 'x'));
    const warm = await feed.snapshotOf('a');
    await feed.announce(change('disconnect'));
    expect(feed.snapshotOf('a')).toBe(warm);
  });

  test('I7: the cache is bounded', async () => {
    const { store, feed } = start(2);
    for (const id of ['a', 'b', 'c']) {
      store.sandboxes.set(id, named(id, id));
      await feed.snapshotOf(id);
    }
    expect(feed.snapshotOf('a')).toBeInstanceOf(Promise);
  });
});

describe('I8: no current policy, no egress', () => {
  test('a store that fails is policy_unavailable, until it answers again', async () => {
    const { store, feed, errors, time } = start();
    store.sandboxes.set('a', named('a', 'x'));
    store.failure = new Error('database is locked');
    time.monotonicMs = 5_000;
    expect(await codeOf(feed.snapshotOf('a'))).toBe('policy_unavailable');
    expect(await codeOf(feed.holderOf('h'))).toBe('policy_unavailable');
    expect(await codeOf(feed.holderBySource('10.0.0.1'))).toBe('policy_unavailable');
    expect(errors).toHaveLength(3);
    time.monotonicMs = 9_000;
    expect(feed.policyAgeSeconds()).toBe(4);
    store.failure = null;
    expect((await feed.snapshotOf('a'))?.sandboxName).toBe('x');
    expect(feed.policyAgeSeconds()).toBe(0);
  });

  test('a stored rule that does not parse is no policy, not a weaker one', async () => {
    const { store, feed } = start();
    const network = { allowOut: [], denyOut: ['not a host'] };
    store.sandboxes.set('a', policySource({ sandbox: { id: 'a', network } }));
    expect(await codeOf(feed.snapshotOf('a'))).toBe('policy_unavailable');
  });

  test('when the store cannot say who depends on a secret, everybody is read again', async () => {
    const { store, feed } = start();
    store.sandboxes.set('a', named('a', 'old'));
    await feed.snapshotOf('a');
    store.failure = new Error('gone');
    await feed.announce({ kind: 'secret', organizationId: 'org-1', secretId: 's' });
    expect(await codeOf(feed.snapshotOf('a'))).toBe('policy_unavailable');
  });
});

describe('tokens', () => {
  const tokenHash = hashToken('sp_box_not-a-real-token');

  test('known ones are warm, unknown ones are asked again', async () => {
    const { store, feed } = start();
    expect(await feed.holderOf(tokenHash)).toBeUndefined();
    store.tokens.set(tokenHash, { sandboxId: 'a', validUntilMs: null });
    const holder = await feed.holderOf(tokenHash);
    expect(holder).toEqual({ sandboxId: 'a', tokenHash, validUntilMs: null });
    expect(feed.holderOf(tokenHash)).toBe(holder);
  });

  test('one that ends is not accepted from memory', async () => {
    const { store, feed, time } = start();
    store.tokens.set(tokenHash, { sandboxId: 'a', validUntilMs: 2_000 });
    expect(await feed.holderOf(tokenHash)).toBeDefined();
    time.nowMs = 2_000;
    expect(feed.holderOf(tokenHash)).toBeUndefined();
  });

  test.each(['token', 'sandbox'] as const)('a %s change forgets them', async (kind) => {
    const { store, feed } = start();
    store.tokens.set(tokenHash, { sandboxId: 'a', validUntilMs: null });
    await feed.holderOf(tokenHash);
    store.tokens.clear();
    await feed.announce(change(kind, 'other'));
    expect(await feed.holderOf(tokenHash)).toBeDefined();
    await feed.announce(change(kind));
    expect(await feed.holderOf(tokenHash)).toBeUndefined();
  });

  test('a look-up that meets a revocation half-way does not revive the token', async () => {
    const { store, feed } = start();
    store.tokens.set(tokenHash, { sandboxId: 'a', validUntilMs: null });
    store.hold();
    const asked = feed.holderOf(tokenHash);
    store.tokens.clear();
    await feed.announce(change('token'));
    store.release();
    expect(await asked).toBeUndefined();
    expect(await feed.holderOf(tokenHash)).toBeUndefined();
  });

  test('I7: bounded, and a forgotten one is found again', async () => {
    const { store, feed } = start(1);
    for (const hash of ['h1', 'h2']) {
      store.tokens.set(hash, { sandboxId: 'a', validUntilMs: null });
      await feed.holderOf(hash);
    }
    expect(feed.holderOf('h1')).toBeInstanceOf(Promise);
    expect(await feed.holderOf('h1')).toBeDefined();
    await feed.announce(change('token'));
    store.tokens.clear();
    expect(await feed.holderOf('h1')).toBeUndefined();
  });
});

describe('identify by source', () => {
  test('exactly one sandbox, or nobody', async () => {
    const { store, feed } = start();
    store.ranges = [
      { sandboxId: 'a', sourceCidrs: ['10.0.0.0/24', 'fd00::/64'] },
      { sandboxId: 'b', sourceCidrs: ['10.0.0.128/25'] },
    ];
    const who = async (address: string): Promise<string | undefined> =>
      (await feed.holderBySource(address))?.sandboxId;
    expect(await who('10.0.0.1')).toBe('a');
    expect(await who('::ffff:10.0.0.1')).toBe('a');
    expect(await who('fd00::5')).toBe('a');
    expect(await who('10.0.0.129')).toBeUndefined();
    expect(await who('192.0.2.1')).toBeUndefined();
    expect(await who('not an address')).toBeUndefined();
    store.ranges = [];
    expect(await who('10.0.0.1')).toBe('a');
    await feed.announce(change('sandbox'));
    expect(await who('10.0.0.1')).toBeUndefined();
  });
});
