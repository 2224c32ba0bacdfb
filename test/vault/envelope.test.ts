import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  EnvelopeFault,
  encodeContext,
  openEnvelope,
  readKeyId,
  sealEnvelope,
} from '../../src/vault/envelope.ts';
import { Keyring, masterKeyFrom } from '../../src/vault/keyring.ts';
import frozen from './vectors/frozen-envelopes.json' with { type: 'json' };

const keyring = new Keyring([masterKeyFrom(randomBytes(32))]);
const context = encodeContext('value', 'org', 'secret', 'version');
const content = Buffer.from('not-a-real-value');

function reasonOf(open: () => unknown): string {
  try {
    open();
  } catch (error) {
    if (error instanceof EnvelopeFault) return error.reason;
    throw error;
  }
  return 'opened';
}

describe('frozen envelopes of format 1', () => {
  test.each(frozen.envelopes)('$kind $identifiers opens', (vector) => {
    const key = masterKeyFrom(Buffer.from(vector.key));
    expect(key.id).toBe(vector.keyId);
    const envelope = Buffer.from(vector.envelope, 'hex');
    expect(readKeyId(envelope)).toBe(vector.keyId);
    const kind = vector.kind === 'value' ? 'value' : 'item';
    const opened = openEnvelope(
      new Keyring([key]),
      encodeContext(kind, ...vector.identifiers),
      envelope,
    );
    expect(opened.toString('utf8')).toBe(vector.content);
  });
});

test('what is sealed opens again, whatever its length', () => {
  for (const length of [0, 1, 15, 16, 17, 8_192, 262_144]) {
    const bytes = randomBytes(length);
    const envelope = sealEnvelope(keyring, context, bytes);
    expect(envelope.byteLength).toBe(length + 97);
    expect(openEnvelope(keyring, context, envelope).equals(bytes)).toBe(true);
  }
});

test('two envelopes of one value share nothing but the head', () => {
  const first = Buffer.from(sealEnvelope(keyring, context, content));
  const second = Buffer.from(sealEnvelope(keyring, context, content));
  expect(first.subarray(0, 9).equals(second.subarray(0, 9))).toBe(true);
  for (const [from, to] of [
    [9, 21],
    [21, 69],
    [69, 81],
    [81, 113],
  ]) {
    expect(first.subarray(from, to).equals(second.subarray(from, to))).toBe(false);
  }
});

test('an envelope moved to another organization, secret or version does not open', () => {
  const envelope = sealEnvelope(keyring, context, content);
  for (const other of [
    encodeContext('value', 'other', 'secret', 'version'),
    encodeContext('value', 'org', 'other', 'version'),
    encodeContext('value', 'org', 'secret', 'other'),
    encodeContext('item', 'org', 'secret', 'version'),
    encodeContext('value', 'org', 'secret'),
    encodeContext('value', 'org', 'secret', 'version', ''),
    encodeContext('value', 'orgs', 'ecret', 'version'),
  ]) {
    expect(reasonOf(() => openEnvelope(keyring, other, envelope))).toBe('not_authentic');
  }
});

test('every flipped bit is noticed', () => {
  const envelope = sealEnvelope(keyring, context, Buffer.from('ab'));
  for (let bit = 0; bit < envelope.byteLength * 8; bit += 1) {
    const changed = Buffer.from(envelope);
    changed[bit >>> 3] = (changed[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
    expect(reasonOf(() => openEnvelope(keyring, context, changed))).not.toBe('opened');
  }
});

test('every truncation and extension is noticed', () => {
  const envelope = sealEnvelope(keyring, context, content);
  for (let length = 0; length < envelope.byteLength; length += 1) {
    const cut = envelope.subarray(0, length);
    expect(reasonOf(() => openEnvelope(keyring, context, cut))).not.toBe('opened');
  }
  const longer = Buffer.concat([envelope, Buffer.from([0])]);
  expect(reasonOf(() => openEnvelope(keyring, context, longer))).toBe('not_authentic');
});

test('parts of two envelopes do not combine', () => {
  const first = sealEnvelope(keyring, context, Buffer.from('first'));
  const second = sealEnvelope(keyring, context, Buffer.from('other'));
  const mixed = Buffer.concat([first.subarray(0, 69), second.subarray(69)]);
  expect(reasonOf(() => openEnvelope(keyring, context, mixed))).toBe('not_authentic');
});

test('a keyring opens what an older key sealed, and seals with the newer one', () => {
  const older = masterKeyFrom(randomBytes(32));
  const newer = masterKeyFrom(randomBytes(32));
  const before = sealEnvelope(new Keyring([older]), context, content);
  const both = new Keyring([newer, older]);
  expect(openEnvelope(both, context, before).equals(content)).toBe(true);
  const after = sealEnvelope(both, context, content);
  expect(readKeyId(after)).toBe(newer.id);
  expect(openEnvelope(new Keyring([newer]), context, after).equals(content)).toBe(true);
  expect(reasonOf(() => openEnvelope(new Keyring([newer]), context, before))).toBe('unknown_key');
});

test('an envelope of a later format is told from a damaged one', () => {
  const later = Buffer.from(sealEnvelope(keyring, context, content));
  later[0] = 2;
  expect(reasonOf(() => openEnvelope(keyring, context, later))).toBe('unknown_format');
  expect(reasonOf(() => openEnvelope(keyring, context, Buffer.alloc(0)))).toBe('malformed');
});
