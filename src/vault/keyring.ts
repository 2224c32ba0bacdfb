/**
 * The master keys this process holds, by id. The first seals; all of them open, so that a key can be
 * replaced while envelopes of the old one still exist. A key's id is a fingerprint of the key: a wrong
 * key is told from a damaged envelope without trying.
 */
import { createHash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { assert } from '../kernel/assert.ts';
import { importKey } from './aes-gcm.ts';

export const KEY_ID_BYTES = 8;

export interface MasterKey {
  /** 16 hex digits. Safe to show: 64 bits of a hash of 256 random bits. */
  readonly id: string;
  readonly key: KeyObject;
}

/** From 32 random bytes. */
export function masterKeyFrom(bytes: Uint8Array): MasterKey {
  const digest = createHash('sha256').update('sallyport master key id').update(bytes).digest();
  return { id: digest.toString('hex', 0, KEY_ID_BYTES), key: importKey(bytes) };
}

export class Keyring {
  readonly #keys: ReadonlyMap<string, MasterKey>;
  /** Seals everything new. */
  readonly active: MasterKey;

  constructor(keys: readonly MasterKey[]) {
    const [first] = keys;
    assert(first !== undefined, 'a keyring holds at least one key');
    this.active = first;
    this.#keys = new Map(keys.map((key) => [key.id, key]));
  }

  /** The key of that id, or `undefined`. */
  readKey(id: string): MasterKey | undefined {
    return this.#keys.get(id);
  }

  /** `keys` in front, those of this one behind. */
  succeededBy(keys: readonly MasterKey[]): Keyring {
    const known = [...this.#keys.values()].filter(({ id }) => keys.every((key) => key.id !== id));
    return new Keyring([...keys, ...known]);
  }

  get ids(): readonly string[] {
    return [...this.#keys.keys()];
  }
}
