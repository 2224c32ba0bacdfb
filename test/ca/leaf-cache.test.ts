import { describe, expect, test } from 'vitest';
import type { LeafMaterial } from '../../src/ca/authority.ts';
import { LeafCache } from '../../src/ca/leaf-cache.ts';
import type { Host } from '../../src/wire/host.ts';
import { openAuthority } from './open-authority.ts';

const LIFE_MS = 800;

function host(text: string): Host {
  return { kind: 'name', text };
}

/** A cache over a mint that counts, with a clock the test moves. */
function newScene(leafCacheMax = 3) {
  const minted: string[] = [];
  const now = { ms: 0 };
  const failing = new Set<string>();
  const cache = new LeafCache<string>({
    mint: ({ text }): Promise<LeafMaterial> => {
      minted.push(text);
      if (failing.has(text)) return Promise.reject(new Error('mint failed'));
      return Promise.resolve({ certPem: text, keyPem: '', notAfterMs: now.ms + LIFE_MS });
    },
    build: ({ certPem }) => `built ${certPem}`,
    clock: { nowMs: () => now.ms, monotonicMs: () => now.ms },
    leafCacheMax,
  });
  return { cache, minted, now, failing };
}

describe('the leaf cache', () => {
  test('mints once under concurrency and then answers synchronously', async () => {
    const { cache, minted } = newScene();
    const asked = Array.from({ length: 50 }, () => Promise.resolve(cache.get(host('a'))));
    expect(await Promise.all(asked)).toEqual(asked.map(() => 'built a'));
    expect(minted).toEqual(['a']);
    expect(cache.get(host('a'))).toBe('built a');
  });

  test('renews before the leaf expires', async () => {
    const { cache, minted, now } = newScene();
    await cache.get(host('a'));
    now.ms = LIFE_MS - LIFE_MS / 8 - 1;
    expect(cache.get(host('a'))).toBe('built a');
    now.ms += 1;
    expect(cache.get(host('a'))).toBeInstanceOf(Promise);
    expect(minted).toEqual(['a', 'a']);
  });

  test('mints anew when the clock was set back: what was minted is not valid yet', async () => {
    const { cache, minted, now } = newScene();
    now.ms = 10 * 3_600_000;
    await cache.get(host('a'));
    now.ms -= 1_000;
    expect(cache.get(host('a'))).toBe('built a');
    now.ms -= 2 * 3_600_000;
    expect(cache.get(host('a'))).toBeInstanceOf(Promise);
    expect(minted).toEqual(['a', 'a']);
  });

  test('I7 holds no more than its bound; the least recently used leaves', async () => {
    const { cache, minted } = newScene(2);
    await cache.get(host('a'));
    await cache.get(host('b'));
    await cache.get(host('a'));
    await cache.get(host('c'));
    expect(cache.get(host('a'))).toBe('built a');
    expect(cache.get(host('b'))).toBeInstanceOf(Promise);
    expect(minted).toEqual(['a', 'b', 'c', 'b']);
  });

  test('does not remember a failure', async () => {
    const { cache, minted, failing } = newScene();
    failing.add('a');
    await expect(cache.get(host('a'))).rejects.toThrow('mint failed');
    failing.delete('a');
    expect(await cache.get(host('a'))).toBe('built a');
    expect(minted).toEqual(['a', 'a']);
  });

  test('keeps what the real authority mints', async () => {
    const authority = await openAuthority();
    const cache = new LeafCache({
      mint: (name) => authority.mintLeaf(name),
      build: (material) => material.certPem,
      clock: { nowMs: () => Date.now(), monotonicMs: () => 0 },
      leafCacheMax: 10,
    });
    const first = await cache.get(host('api.example.com'));
    expect(cache.get(host('api.example.com'))).toBe(first);
  });
});
