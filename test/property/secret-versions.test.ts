/**
 * Whatever is done to the versions of a secret in whatever order, what the API shows, what the store keeps
 * and what the proxy would use is what a small model says: one active version, numbers that only grow,
 * nothing used that is destroyed or cut off, nothing destroyed that is used.
 */
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAdminFixture, type AdminFixture } from '../admin-api/admin-fixture.ts';
import { KEPT, VersionRun, type Step } from './version-run.ts';

let admin: AdminFixture;
let count = 0;

beforeAll(async () => {
  admin = await startAdminFixture({ versionsKept: KEPT });
});

afterAll(() => admin[Symbol.asyncDispose]());

const version = fc.integer({ min: 1, max: 12 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('rotate'), overlaps: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('rollback'), version }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pin'), version }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unpin'), index: fc.nat(5) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('widen', 'disable', 'enable', 'describe') }),
  },
);

test('versions are what the model says after any steps', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
      count += 1;
      const run = new VersionRun(admin, `versions_${count}`);
      await admin.call('POST', '/secrets', {
        name: run.name,
        value: 'first',
        auth: { type: 'bearer' },
        hosts: ['h0.example.com'],
      });
      const secrets = { KEY: run.name };
      const follower = await admin.call('POST', '/sandboxes', { name: 'follows', secrets });
      for (const one of steps) {
        await run.apply(one);
        await run.check();
        await run.checkFollower(follower.json.id);
      }
      await admin.call('DELETE', `/secrets/${run.name}`);
      const snapshot = await admin.feed.snapshotOf(follower.json.id);
      expect(snapshot?.bindings[0]?.tombstone).toBe('credential_revoked');
    }),
    { numRuns: 40 },
  );
});
