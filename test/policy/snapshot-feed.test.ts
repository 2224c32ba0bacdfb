/** Current policy: warm answers, single flight, and changes that meet a read half-way. */
import { describe, expect, test } from 'vitest';
import { hashToken } from '../../src/kernel/ids.ts';
import { Refusal } from '../../src/kernel/errors.ts';
import type { PolicyChange } from '../../src/policy/policy-feed.ts';
import type {
  BoundSecret,
  PolicySource,
  PolicyStore,
  TokenOwner,
} from '../../src/policy/policy-store.ts';
import { SnapshotFeed } from '../../src/policy/snapshot-feed.ts';
import type { Secret } from '../../src/secrets/secret.ts';
import { bound, policySource, secret } from './fixtures.ts';

/** A store whose answers the test holds back: what a read sees is fixed when the test releases it. */
class GatedStore implements PolicyStore {
  sandboxes = new Map<string, PolicySource>();
  placed = new Map<string, BoundSecret>();
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

  listPlacedSecrets(): Promise<BoundSecret[]> {
    return this.#answer([...this.placed.values()]);
  }

  readPlacedSecrets(
    _organizationId: string,
    secretIds: readonly string[],
  ): Promise<readonly BoundSecret[]> {
    return this.#answer(secretIds.flatMap((id) => this.placed.get(id) ?? []));
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

describe('secrets_mode: all', () => {
  const all = (id: string, workspaceId = 'workspace-1') =>
    policySource({ sandbox: { id, workspaceId, secretsMode: 'all' } });
  const placed = (name: string, more: Partial<Secret> = {}) => {
    const one = bound(secret(name, { hosts: [`${name}.example.com`], ...more }));
    return { ...one, binding: { ...one.binding, envKey: '', placeholder: '' } };
  };
  const changed = (secretId: string): PolicyChange => ({
    kind: 'secret',
    organizationId: 'org-1',
    secretId,
  });
  const namesOf = async (feed: SnapshotFeed, id: string): Promise<string[]> =>
    ((await feed.snapshotOf(id))?.bindings ?? []).map(({ secretName }) => secretName).sort();

  test('every secret of the workspace, read once for all sandboxes, disabled ones as dead', async () => {
    const { store, feed } = start();
    for (const one of [
      placed('a'),
      placed('off', { disabled: true }),
      placed('theirs', { allowedWorkspacesType: 'SOME', allowedWorkspaces: ['workspace-2'] }),
      placed('nobody', { allowedWorkspacesType: 'NONE' }),
    ]) {
      store.placed.set(one.secret.id, one);
    }
    store.sandboxes.set('x', all('x'));
    store.sandboxes.set('y', all('y'));
    store.sandboxes.set('z', all('z', 'workspace-2'));
    expect(await namesOf(feed, 'x')).toEqual(['a', 'off']);
    const { reads } = store;
    expect(await namesOf(feed, 'y')).toEqual(['a', 'off']);
    expect(await namesOf(feed, 'z')).toEqual(['a', 'off', 'theirs']);
    // Each sandbox itself, and nothing else.
    expect(store.reads - reads).toBe(2);
    const snapshot = await feed.snapshotOf('x');
    expect(snapshot?.index.byPattern.get('off.example.com')?.[0]?.tombstone).toBe(
      'credential_disabled',
    );
  });

  test('a secret made, changed or deleted is seen on the next request; only it is read', async () => {
    const { store, feed, dependents } = start();
    store.sandboxes.set('x', all('x'));
    for (const name of ['a', 'b']) store.placed.set(`id-${name}`, placed(name));
    for (const name of ['a', 'b', 'c']) dependents.set(`id-${name}`, ['x']);
    expect(await namesOf(feed, 'x')).toEqual(['a', 'b']);
    store.placed.set('id-c', placed('c'));
    await feed.announce(changed('id-c'));
    expect(await namesOf(feed, 'x')).toEqual(['a', 'b', 'c']);
    store.placed.delete('id-a');
    await feed.announce(changed('id-a'));
    expect(await namesOf(feed, 'x')).toEqual(['b', 'c']);
    store.placed.set('id-b', placed('b', { allowedWorkspacesType: 'NONE' }));
    await feed.announce(changed('id-b'));
    expect(await namesOf(feed, 'x')).toEqual(['c']);
  });

  test('a change that meets a read half-way is not lost', async () => {
    const { store, feed, dependents } = start();
    store.sandboxes.set('x', all('x'));
    store.placed.set('id-a', placed('a'));
    dependents.set('id-a', ['x']);
    expect(await namesOf(feed, 'x')).toEqual(['a']);
    await feed.announce(changed('id-a'));
    store.hold();
    const late = namesOf(feed, 'x');
    await Promise.resolve();
    store.placed.delete('id-a');
    const announced = feed.announce(changed('id-a'));
    store.release();
    await announced;
    expect(await late).toEqual([]);
    expect(await namesOf(feed, 'x')).toEqual([]);
  });

  test('after a store that failed half-way nothing deleted meanwhile comes back', async () => {
    const { store, feed, dependents } = start();
    store.sandboxes.set('x', all('x'));
    for (const name of ['a', 'b']) store.placed.set(`id-${name}`, placed(name));
    for (const name of ['a', 'b']) dependents.set(`id-${name}`, ['x']);
    await feed.announce(changed('id-a'));
    await namesOf(feed, 'x');
    store.failure = new Error('gone');
    store.placed.delete('id-a');
    await feed.announce(changed('id-a'));
    expect(await codeOf(feed.snapshotOf('x'))).toBe('policy_unavailable');
    store.failure = null;
    expect(await namesOf(feed, 'x')).toEqual(['b']);
  });

  test('I7: more secrets than can be held are no policy, not a part of them', async () => {
    const { store, feed } = start();
    store.sandboxes.set('x', all('x'));
    const one = placed('a');
    const many = Array.from({ length: 20_001 }, (_, index) => {
      const id = `id-${String(index).padStart(6, '0')}`;
      return { ...one, secret: { ...one.secret, id } };
    });
    store.listPlacedSecrets = async () => many;
    expect(await codeOf(feed.snapshotOf('x'))).toBe('policy_unavailable');
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
