import { expect, test } from 'vitest';
import { importKey, readGcm, sealGcm } from '../../src/vault/aes-gcm.ts';
import wycheproof from './vectors/wycheproof-aes-256-gcm.json' with { type: 'json' };

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

test('the published vectors are there: valid ones and forged ones', () => {
  const valid = wycheproof.tests.filter((vector) => vector.result === 'valid');
  expect(wycheproof.tests).toHaveLength(66);
  expect(valid).toHaveLength(39);
});

/** What our functions make of a vector: the plaintext it opens to, and the ciphertext of that. */
function roundTrip(vector: (typeof wycheproof.tests)[number]) {
  const key = importKey(hex(vector.key));
  const [nonce, associated] = [hex(vector.iv), hex(vector.aad)];
  const opened = readGcm(key, nonce, associated, hex(vector.ct + vector.tag));
  if (opened === undefined) return 'refused';
  return {
    opened: opened.toString('hex'),
    sealed: sealGcm(key, nonce, associated, opened).toString('hex'),
  };
}

test.each(wycheproof.tests)('Wycheproof AES-256-GCM $tcId is $result', (vector) => {
  const expected =
    vector.result === 'valid' ? { opened: vector.msg, sealed: vector.ct + vector.tag } : 'refused';
  expect(roundTrip(vector)).toEqual(expected);
});

test('a shortened tag does not pass for a tag', () => {
  const key = importKey(Buffer.alloc(32, 7));
  const nonce = Buffer.alloc(12, 1);
  const sealed = sealGcm(key, nonce, Buffer.alloc(0), Buffer.from('content'));
  for (let cut = 1; cut <= sealed.byteLength; cut += 1) {
    expect(readGcm(key, nonce, Buffer.alloc(0), sealed.subarray(0, -cut))).toBeUndefined();
  }
});

test('other lengths of key and nonce are refused', () => {
  expect(() => importKey(Buffer.alloc(16))).toThrow('32 bytes');
  const key = importKey(Buffer.alloc(32));
  expect(() => sealGcm(key, Buffer.alloc(16), Buffer.alloc(0), Buffer.alloc(0))).toThrow(
    '12 bytes',
  );
  expect(readGcm(key, Buffer.alloc(16), Buffer.alloc(0), Buffer.alloc(32))).toBeUndefined();
});
