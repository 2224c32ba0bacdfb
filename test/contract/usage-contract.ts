/** Last used and last answered: what every database must do. */
import { describe, expect, test } from 'vitest';
import { insertSampleSecret, insertTenant } from './samples.ts';
import type { MakeStore } from './store-contracts.ts';

export function describeUsageContract(makeStore: MakeStore): void {
  describe('usage', () => {
    test('only moves forward, by secret and by version, and changes nothing else', async () => {
      const store = await makeStore();
      const tenant = await insertTenant(store, 'acme');
      const { id: organizationId } = tenant.organization;
      const secret = await insertSampleSecret(store, tenant);
      const untouched = await insertSampleSecret(store, tenant);
      const mark = (lastUsedAtMs: number | null, lastAnsweredAtMs: number | null) => ({
        secretId: secret.id,
        versionId: secret.activeVersionId,
        lastUsedAtMs,
        lastAnsweredAtMs,
      });
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
  });
}
