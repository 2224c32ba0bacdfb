/** Use and health of secrets and versions: what every database must do. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Secret } from '../../src/secrets/secret.ts';
import type { Store } from '../../src/store/store.ts';
import { insertSampleSecret, insertTenant, sampleMark, sampleVersion } from './samples.ts';
import type { MakeStore } from './store-contracts.ts';

export function describeUsageContract(makeStore: MakeStore): void {
  async function begin(): Promise<{ store: Store; organizationId: string; secret: Secret }> {
    const store = await makeStore();
    const tenant = await insertTenant(store, 'acme');
    const secret = await insertSampleSecret(store, tenant);
    return { store, organizationId: tenant.organization.id, secret };
  }

  async function rotate(store: Store, secret: Secret): Promise<Secret> {
    const rotated = {
      ...secret,
      version: secret.version + 1,
      highestVersion: secret.version + 1,
      activeVersionId: randomUUID(),
      rotation: secret.rotation + 1,
      revision: secret.revision + 1,
    };
    await store.secrets.updateSecret(rotated, sampleVersion(rotated));
    return rotated;
  }

  async function requestsOf(store: Store, secret: Secret): Promise<readonly number[]> {
    const rows = await store.secrets.listVersions(secret.organizationId, secret.id);
    return rows.map((row) => row.requestsSinceRotation);
  }

  describe('usage', () => {
    test('only moves forward, by secret and by version, and changes nothing else', async () => {
      const store = await makeStore();
      const tenant = await insertTenant(store, 'acme');
      const { id: organizationId } = tenant.organization;
      const secret = await insertSampleSecret(store, tenant);
      const untouched = await insertSampleSecret(store, tenant);
      const mark = (lastUsedAtMs: number | null, lastAnsweredAtMs: number | null) =>
        sampleMark(secret, { lastUsedAtMs, lastAnsweredAtMs });
      await store.usage.recordUsage([mark(500, null)]);
      await store.usage.recordUsage([mark(400, 410), mark(null, 405)]);
      const row = await store.secrets.readSecretById(organizationId, secret.id);
      expect(row?.usage).toEqual({ lastUsedAtMs: 500, lastAnsweredAtMs: 410 });
      expect(row?.secret).toEqual(secret);
      const versions = await store.secrets.listVersions(organizationId, secret.id);
      expect(versions[0]?.lastUsedAtMs).toBe(500);
      const other = await store.secrets.readSecretById(organizationId, untouched.id);
      expect(other?.usage.lastUsedAtMs).toBeNull();
    });

    test('counts requests since the last rotation, by version', async () => {
      const { store, secret } = await begin();
      const first = (rotation: number, requests: number) =>
        sampleMark(secret, { rotation, requests });
      await store.usage.recordUsage([first(1, 5), first(1, 2)]);
      expect(await requestsOf(store, secret)).toEqual([7]);
      const rotated = await rotate(store, secret);
      expect(await requestsOf(store, secret)).toEqual([0, 0]);
      await store.usage.recordUsage([
        sampleMark(rotated, { rotation: 2, requests: 3 }),
        first(2, 1),
        // Decided before the rotation, told after: not since.
        first(1, 100),
      ]);
      expect(await requestsOf(store, secret)).toEqual([3, 1]);
      const again = await rotate(store, rotated);
      await store.usage.recordUsage([sampleMark(rotated, { rotation: 2, requests: 9 })]);
      expect(await requestsOf(store, again)).toEqual([0, 0, 0]);
    });

    test('a batch that is sent again counts once, the next one of its writer counts', async () => {
      const { store, secret } = await begin();
      const marks = [sampleMark(secret, { rotation: 1, requests: 4, authFailures: 1 })];
      const send = (writer: string, sequence: number) =>
        store.usage.recordUsage(marks, { writer, sequence, atMs: 1_000 });
      await send('one', 1);
      await send('one', 1);
      expect(await requestsOf(store, secret)).toEqual([4]);
      await send('one', 2);
      await send('two', 1);
      await send('one', 1);
      expect(await requestsOf(store, secret)).toEqual([12]);
    });

    test('refused credentials count from the last accepted one, on the version that was refused', async () => {
      const { store, organizationId, secret } = await begin();
      const healthOf = async () =>
        (await store.secrets.readSecret(organizationId, secret.name))?.health;
      expect(await healthOf()).toEqual({
        authFailures: 0,
        lastAuthFailureAtMs: null,
        authFailureKind: null,
      });
      const refused = { authFailures: 2, lastAuthFailureAtMs: 70, authFailureKind: 'expired' };
      const failures = sampleMark(secret, { ...refused, authFailureKind: 'expired' });
      await store.usage.recordUsage([failures, failures]);
      expect(await healthOf()).toEqual({ ...refused, authFailures: 4 });
      await store.usage.recordUsage([sampleMark(secret, { lastUsedAtMs: 80 })]);
      expect(await healthOf()).toEqual({ ...refused, authFailures: 4 });
      await store.usage.recordUsage([sampleMark(secret, { wasAccepted: true })]);
      expect(await healthOf()).toEqual({ ...refused, authFailures: 0 });
      const earlier = {
        authFailures: 1,
        lastAuthFailureAtMs: 60,
        authFailureKind: 'scope',
      } as const;
      await store.usage.recordUsage([sampleMark(secret, { ...earlier, wasAccepted: true })]);
      expect(await healthOf()).toEqual({ ...refused, authFailures: 1 });
      const rotated = await rotate(store, secret);
      expect((await healthOf())?.authFailures).toBe(0);
      const rows = await store.secrets.listVersions(organizationId, rotated.id);
      expect(rows.map((row) => row.health.authFailures)).toEqual([0, 1]);
      const [listed] = await store.secrets.listSecrets(organizationId, {});
      expect(listed?.health.authFailures).toBe(0);
    });
  });
}
