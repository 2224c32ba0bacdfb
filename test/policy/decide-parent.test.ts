/** I2: when a secret may be the password of the parent proxy, and for what its permit is good. */
import { expect, test } from 'vitest';
import { decideParent } from '../../src/policy/decide-parent.ts';
import { Permit } from '../../src/policy/permit.ts';
import type { Secret } from '../../src/secrets/secret.ts';
import { parseHost } from '../../src/wire/host.ts';
import { NOW_MS, secret } from './fixtures.ts';

const PARENT = { host: parseHost('proxy.corp.example'), port: 3128 };
const UNPLACED = { auth: null, hosts: [] };

function decide(overrides: Partial<Secret>) {
  const named = secret('parent', overrides);
  const version = {
    id: named.activeVersionId,
    organizationId: named.organizationId,
    secretId: named.id,
    version: 1,
    sealed: new Uint8Array(),
    createdAtMs: NOW_MS,
    createdBy: 'user:test',
  };
  return decideParent(named, version, PARENT, NOW_MS);
}

test.each<[string, Partial<Secret>]>([
  ['stored without auth', UNPLACED],
  ['that names the parent', { hosts: ['proxy.corp.example'], ports: [3128] }],
  ['that names it by wildcard', { hosts: ['*.corp.example'], ports: [443, 3128] }],
  ['that expires later', { ...UNPLACED, expiresAtMs: NOW_MS + 1 }],
])('a secret %s opens for a CONNECT to the parent and nothing else', (_, overrides) => {
  const decision = decide(overrides);
  const permit = 'permit' in decision ? decision.permit : null;
  expect(permit !== null && Permit.isGenuine(permit)).toBe(true);
  expect(permit?.scope).toMatchObject({
    host: 'proxy.corp.example',
    port: 3128,
    method: 'CONNECT',
    sandboxId: '',
  });
});

test.each<[string, Partial<Secret>, string]>([
  ['disabled', { ...UNPLACED, disabled: true }, 'disabled'],
  ['expired', { ...UNPLACED, expiresAtMs: NOW_MS }, 'expired'],
  ['for another host', { hosts: ['api.example.com'], ports: [3128] }, 'hosts or ports'],
  ['for another port', { hosts: ['proxy.corp.example'], ports: [443] }, 'hosts or ports'],
])('a secret that is %s opens not at all', (_, overrides, why) => {
  const decision = decide(overrides);
  expect('fault' in decision ? decision.fault : '').toContain(why);
});
