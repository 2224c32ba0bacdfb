/** Rotating the authority on a real store: what signs, what is trusted, what a second one that asks gets. */
import { X509Certificate } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { openCertificateAuthority } from '../../src/ca/authority.ts';
import { LeafCache } from '../../src/ca/leaf-cache.ts';
import type { LeafMaterial } from '../../src/ca/authority.ts';
import { CaRotation } from '../../src/ca/rotation.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/limits.ts';
import type { Actor } from '../../src/organizations/actor.ts';
import { openVault } from '../../src/vault/open-vault.ts';
import { openStore, temporaryDirectory } from '../store/temporary-store.ts';
import { silentLogger } from '../store/silent-logger.ts';
import { eventually } from '../support/eventually.ts';

const host = { kind: 'name', text: 'api.example.com' } as const;
const actor: Actor = {
  apiKeyId: 'key-1',
  organizationId: 'org-1',
  role: 'admin',
  subject: 'user:someone',
  workspaceIds: null,
  secretIds: null,
};

async function open(clock = systemClock) {
  const { instance } = await openStore(temporaryDirectory());
  const dataDir = temporaryDirectory();
  const limits = DEFAULT_LIMITS;
  const vault = await openVault({ instance, limits, masterKey: null, keyFile: null, dataDir });
  const openAgain = () => openCertificateAuthority({ instance, vault, limits, clock });
  return { authority: await openAgain(), openAgain };
}

function rootsOf(pem: string): X509Certificate[] {
  return (pem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/g) ?? []).map(
    (one) => new X509Certificate(one),
  );
}

function isSignedBy({ certPem }: LeafMaterial, root: X509Certificate | undefined): boolean {
  return root !== undefined && new X509Certificate(certPem).verify(root.publicKey);
}

test('the old root signs until the switch, the new one after it, also after a restart', async () => {
  const { authority, openAgain } = await open();
  const [old] = rootsOf(authority.caPem);
  let switches = 0;
  authority.onSwitch(() => (switches += 1));
  await authority.take('begin', null);
  const [first, next] = rootsOf(authority.caPem);
  expect(first?.fingerprint256).toBe(old?.fingerprint256);
  expect(isSignedBy(await authority.mintLeaf(host), old)).toBe(true);
  expect((await openAgain()).caPem).toBe(authority.caPem);
  expect(switches).toBe(0);
  await authority.take('switch', null);
  expect(switches).toBe(1);
  expect(rootsOf(authority.caPem)).toHaveLength(2);
  for (const one of [authority, await openAgain()]) {
    expect(isSignedBy(await one.mintLeaf(host), next)).toBe(true);
  }
  await authority.take('finish', null);
  expect(rootsOf(authority.caPem).map((root) => root.fingerprint256)).toEqual([
    next?.fingerprint256,
  ]);
  expect((await openAgain()).caPem).toBe(authority.caPem);
  expect(switches).toBe(1);
});

test('an overlap without a date ends with the old root', async () => {
  let nowMs = Date.UTC(2027, 1, 1);
  const clock = { nowMs: () => nowMs, monotonicMs: () => 0 };
  const { authority, openAgain } = await open(clock);
  nowMs += 3_600_000;
  await authority.take('begin', null);
  nowMs = authority.notAfterMs - 1;
  const activity = { recordDone: async () => undefined, recordFirst: async () => undefined };
  const deps = { authority, activity, clock, logger: silentLogger, overlapMs: null };
  const early = new CaRotation(deps);
  await delay(20);
  early.close();
  expect(authority.state.phase).toBe('overlap');
  nowMs += 1;
  const again = await openAgain();
  expect(again.endedAtMs).toBe(nowMs);
  const rotation = new CaRotation({ ...deps, authority: again });
  onTestFinished(() => {
    rotation.close();
  });
  await eventually(() => expect(again.state.phase).toBe('switched'));
  expect(again.endedAtMs).toBeNull();
});

test('of two that begin at once one does; the other is told', async () => {
  const { authority, openAgain } = await open();
  const other = await openAgain();
  const taken = await Promise.allSettled([
    authority.take('begin', null),
    authority.take('begin', null),
    other.take('begin', null),
  ]);
  expect(taken.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(rootsOf((await openAgain()).caPem)).toHaveLength(2);
});

test('leaves of before are not handed out after the switch, not even one being minted', async () => {
  const waiting: (() => void)[] = [];
  const cache = new LeafCache<string>({
    mint: async () => {
      const certPem = `leaf ${waiting.length}`;
      await new Promise<void>((resolve) => waiting.push(resolve));
      return { certPem, keyPem: '', notAfterMs: systemClock.nowMs() + 60_000 };
    },
    build: ({ certPem }) => certPem,
    clock: systemClock,
    leafCacheMax: 10,
  });
  const before = cache.get(host);
  cache.clear();
  const after = cache.get(host);
  // The old one is ready last.
  waiting[1]?.();
  expect(await after).toBe('leaf 1');
  waiting[0]?.();
  expect(await before).toBe('leaf 0');
  expect(cache.get(host)).toBe('leaf 1');
  cache.clear();
  const fresh = cache.get(host);
  waiting[2]?.();
  expect(await fresh).toBe('leaf 2');
});

test('it switches by itself when its time has come, also one that came while it was not running', async () => {
  let nowMs = Date.UTC(2027, 1, 1);
  const clock = { nowMs: () => nowMs, monotonicMs: () => 0 };
  const { authority, openAgain } = await open(clock);
  const activity = { recordDone: async () => undefined, recordFirst: async () => undefined };
  const start = (of: typeof authority) => {
    const rotation = new CaRotation({
      authority: of,
      activity,
      clock,
      logger: silentLogger,
      overlapMs: 20,
    });
    onTestFinished(() => {
      rotation.close();
    });
    return rotation;
  };
  const rotation = start(authority);
  await rotation.take(actor, 'begin');
  // The clock says that it is not due, whatever the timer says.
  await delay(60);
  expect(rotation.describe().phase).toBe('overlap');
  rotation.close();
  nowMs += 20;
  const again = await openAgain();
  start(again);
  await eventually(() => expect(again.state.phase).toBe('switched'));
});
