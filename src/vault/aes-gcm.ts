/**
 * AES-256-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags, and nothing else: no other length is
 * accepted in either direction, so a shortened tag cannot pass. Checked with vectors from outside.
 */
import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { assert } from '../kernel/assert.ts';

export const KEY_BYTES = 32;
export const NONCE_BYTES = 12;
export const TAG_BYTES = 16;

/** A key that prints as an object, not as bytes. */
export function importKey(bytes: Uint8Array): KeyObject {
  assert(bytes.byteLength === KEY_BYTES, 'an AES-256 key has 32 bytes');
  return createSecretKey(bytes);
}

/** Ciphertext followed by its tag. `nonce` must never repeat under one key. */
export function sealGcm(
  key: KeyObject,
  nonce: Uint8Array,
  associated: Uint8Array,
  plaintext: Uint8Array,
): Buffer {
  assert(nonce.byteLength === NONCE_BYTES, 'a nonce has 12 bytes');
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associated);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** The plaintext, or `undefined` when key, nonce, associated data, ciphertext or tag do not fit. */
export function readGcm(
  key: KeyObject,
  nonce: Uint8Array,
  associated: Uint8Array,
  sealed: Uint8Array,
): Buffer | undefined {
  if (nonce.byteLength !== NONCE_BYTES || sealed.byteLength < TAG_BYTES) return undefined;
  const tagAt = sealed.byteLength - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(tagAt));
  const plaintext = decipher.update(sealed.subarray(0, tagAt));
  try {
    decipher.final();
    return plaintext;
  } catch {
    plaintext.fill(0);
    return undefined;
  }
}
