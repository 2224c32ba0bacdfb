import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { ControlError, Refusal } from '../../src/kernel/errors.ts';
import { Hidden } from '../../src/kernel/hidden.ts';
import { Permit } from '../../src/policy/permit.ts';
import type { SealedVersion } from '../../src/secrets/secret.ts';
import { Keyring, masterKeyFrom } from '../../src/vault/keyring.ts';
import { Vault } from '../../src/vault/vault.ts';

const CANARY = 'canary-0123456789abcdef';

function newVault(openedValuesMax = 10): Vault {
  return new Vault(new Keyring([masterKeyFrom(randomBytes(32))]), { openedValuesMax });
}

function sealed(vault: Vault, value: string, versionId = 'version-1'): SealedVersion {
  const context = { organizationId: 'org-1', secretId: 'secret-1', versionId };
  return {
    id: versionId,
    organizationId: 'org-1',
    secretId: 'secret-1',
    version: 1,
    sealed: vault.sealValue(context, new Hidden(value)),
    createdAtMs: 0,
    createdBy: 'user:test',
  };
}

function permitFor(version: SealedVersion, organizationId = version.organizationId): Permit {
  return Permit.grant({
    organizationId,
    sandboxId: 'sandbox-1',
    secretId: version.secretId,
    version,
    host: 'api.example.com',
    port: 443,
    method: 'GET',
    path: '/',
  });
}

function refusalOf(open: () => unknown): Refusal {
  try {
    open();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('it opened');
}

describe('opening values', () => {
  test('I2 a value opens with a permit, cold and warm', () => {
    const vault = newVault();
    const permit = permitFor(sealed(vault, CANARY));
    expect(vault.openValue(permit).reveal()).toBe(CANARY);
    expect(vault.openValue(permit).reveal()).toBe(CANARY);
  });

  test('I2 something shaped like a permit opens nothing, not even warm', () => {
    const vault = newVault();
    const genuine = permitFor(sealed(vault, CANARY));
    vault.openValue(genuine);
    const forgeries: unknown[] = [
      { scope: genuine.scope },
      Object.assign(Object.create(Permit.prototype) as object, { scope: genuine.scope }),
      null,
      'permit',
    ];
    for (const forged of forgeries) {
      expect(refusalOf(() => vault.openValue(forged as Permit)).code).toBe(
        'credential_unavailable',
      );
    }
  });

  test('I2 a permit of another organization does not open, cold or warm', () => {
    const vault = newVault();
    const version = sealed(vault, CANARY);
    const foreign = { ...version, organizationId: 'org-2' };
    expect(refusalOf(() => vault.openValue(permitFor(foreign))).code).toBe(
      'credential_unavailable',
    );
    vault.openValue(permitFor(version));
    expect(refusalOf(() => vault.openValue(permitFor(foreign))).code).toBe(
      'credential_unavailable',
    );
    const refusal = refusalOf(() => vault.openValue(permitFor(version, 'org-2')));
    expect(refusal.auditDetail).toBe('the permit names another secret');
  });

  test('an envelope moved to another row is refused, with the reason for the audit only', () => {
    const vault = newVault();
    const version = sealed(vault, CANARY);
    for (const moved of [
      { ...version, id: 'version-2' },
      { ...version, secretId: 'secret-2' },
    ]) {
      const refusal = refusalOf(() => vault.openValue(permitFor(moved)));
      expect(refusal.code).toBe('credential_unavailable');
      expect(refusal.auditDetail).toBe('not_authentic');
      expect(refusal.message).not.toContain('authentic');
    }
  });

  test('a vault with another key refuses and says so to the audit', () => {
    const version = sealed(newVault(), CANARY);
    const refusal = refusalOf(() => newVault().openValue(permitFor(version)));
    expect(refusal.auditDetail).toBe('unknown_key');
  });

  test('I7 the cache is bounded: what fell out is opened again', () => {
    const vault = newVault(2);
    const versions = ['a', 'b', 'c'].map((id) => sealed(vault, `value ${id}`, id));
    for (const version of [...versions, ...versions]) {
      expect(vault.openValue(permitFor(version)).reveal()).toBe(`value ${version.id}`);
    }
    const [first] = versions;
    if (first === undefined) throw new Error('no version');
    const damaged = { ...first, sealed: Buffer.alloc(200) };
    expect(vault.openValue(permitFor(versions[2] ?? first)).reveal()).toBe('value c');
    vault.openValue(permitFor(versions[1] ?? first));
    expect(refusalOf(() => vault.openValue(permitFor(damaged))).code).toBe(
      'credential_unavailable',
    );
  });

  test('values too long to place are not kept warm', () => {
    const vault = newVault();
    const version = sealed(vault, 'v'.repeat(8_193));
    expect(vault.openValue(permitFor(version)).reveal()).toHaveLength(8_193);
    const damaged = { ...version, sealed: Buffer.alloc(200) };
    expect(refusalOf(() => vault.openValue(permitFor(damaged))).code).toBe(
      'credential_unavailable',
    );
  });
});

test('any Unicode text survives; half a character is refused instead of changed', () => {
  const vault = newVault();
  for (const value of ['ä€𝄞', 'line one\r\nline two\n', '\u0000', ' padded ']) {
    expect(vault.openValue(permitFor(sealed(vault, value, value))).reveal()).toBe(value);
  }
  expect(() => sealed(vault, 'a\uD83D')).toThrow(ControlError);
});

test('I3 neither the envelope, nor the vault, nor an error shows the value', () => {
  const vault = newVault();
  const version = sealed(vault, CANARY);
  const value = vault.openValue(permitFor(version));
  const refusal = refusalOf(() => vault.openValue(permitFor({ ...version, id: 'other' })));
  const shown = [
    Buffer.from(version.sealed).toString('latin1'),
    inspect(vault, { depth: 9, showHidden: true }),
    inspect(value, { depth: 9, showHidden: true }),
    JSON.stringify({ value, refusal }),
    inspect(refusal, { depth: 9 }),
    String(value),
  ].join('\n');
  expect(shown).not.toContain(CANARY);
});

test('items of the instance are bound to their name', () => {
  const vault = newVault();
  const sealedItem = vault.sealItem('one', Buffer.from('content'));
  expect(Buffer.from(vault.openItem('one', sealedItem)).toString()).toBe('content');
  expect(() => vault.openItem('two', sealedItem)).toThrow('does not open');
});

test('reveal opens a version without a permit and leaves nothing warm', () => {
  const vault = newVault();
  const version = sealed(vault, CANARY);
  expect(vault.openVersion(version).reveal()).toBe(CANARY);
  expect(() => vault.openVersion({ ...version, secretId: 'secret-2' })).toThrow(Refusal);
});

test('compares a value with a sealed one; what does not open is not the same', () => {
  const vault = newVault();
  const version = sealed(vault, CANARY);
  expect(vault.isSameValue(version, new Hidden(CANARY))).toBe(true);
  expect(vault.isSameValue(version, new Hidden(`${CANARY}x`))).toBe(false);
  expect(vault.isSameValue({ ...version, id: 'version-2' }, new Hidden(CANARY))).toBe(false);
});
