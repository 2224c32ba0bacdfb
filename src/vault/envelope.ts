/**
 * The envelope: how a value or an item of the instance lies in the database. Byte layout, version 1:
 *
 *     offset  bytes  what
 *          0      1  format version, 1
 *          1      8  id of the master key (fingerprint, `keyring.ts`)
 *          9     12  nonce of the wrapped data key
 *         21     48  data key (32) under the master key, with its tag (16)
 *         69     12  nonce of the content
 *         81  n + 16  content under the data key, with its tag
 *
 * Both layers are AES-256-GCM. Each envelope has a fresh random data key and fresh random nonces; one
 * master key may wrap 2^32 data keys (SP 800-38D, 8.3). Associated data of the wrapped key: bytes 0–8 and
 * the context; of the content: bytes 0–80 and the context. The context names what is sealed and where it
 * belongs, so an envelope copied to another row, version or organization does not open.
 */
import { randomBytes } from 'node:crypto';
import { KEY_BYTES, NONCE_BYTES, TAG_BYTES, importKey, readGcm, sealGcm } from './aes-gcm.ts';
import { KEY_ID_BYTES } from './keyring.ts';
import type { Keyring } from './keyring.ts';

const FORMAT_VERSION = 1;
const WRAP_NONCE_AT = 1 + KEY_ID_BYTES;
const WRAPPED_KEY_AT = WRAP_NONCE_AT + NONCE_BYTES;
const CONTENT_NONCE_AT = WRAPPED_KEY_AT + KEY_BYTES + TAG_BYTES;
const CONTENT_AT = CONTENT_NONCE_AT + NONCE_BYTES;
const ENVELOPE_BYTES_MIN = CONTENT_AT + TAG_BYTES;

export type EnvelopeFaultReason = 'malformed' | 'unknown_format' | 'unknown_key' | 'not_authentic';

/** Why an envelope does not open. Says nothing about its content. */
export class EnvelopeFault extends Error {
  override readonly name = 'EnvelopeFault';
  readonly reason: EnvelopeFaultReason;

  constructor(reason: EnvelopeFaultReason) {
    super(`an envelope does not open: ${reason}`);
    this.reason = reason;
  }
}

/** A kind of content and the identifiers it is bound to, each preceded by its length: unambiguous. */
export function encodeContext(kind: 'value' | 'item', ...identifiers: readonly string[]): Buffer {
  const parts = ['sallyport', kind, ...identifiers].flatMap((text) => {
    const bytes = Buffer.from(text, 'utf8');
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.byteLength);
    return [length, bytes];
  });
  return Buffer.concat(parts);
}

/** Seals with the keyring's active key. */
export function sealEnvelope(
  keyring: Keyring,
  context: Uint8Array,
  content: Uint8Array,
): Uint8Array {
  const dataKey = randomBytes(KEY_BYTES);
  const head = Buffer.concat([
    Buffer.from([FORMAT_VERSION]),
    Buffer.from(keyring.active.id, 'hex'),
  ]);
  const wrapNonce = randomBytes(NONCE_BYTES);
  const wrapped = sealGcm(keyring.active.key, wrapNonce, Buffer.concat([head, context]), dataKey);
  const contentNonce = randomBytes(NONCE_BYTES);
  const front = Buffer.concat([head, wrapNonce, wrapped, contentNonce]);
  const sealed = sealGcm(
    importKey(dataKey),
    contentNonce,
    Buffer.concat([front, context]),
    content,
  );
  dataKey.fill(0);
  return Buffer.concat([front, sealed]);
}

/** Throws EnvelopeFault. */
export function openEnvelope(keyring: Keyring, context: Uint8Array, envelope: Uint8Array): Buffer {
  const masterKey = keyring.readKey(readKeyId(envelope));
  if (masterKey === undefined) throw new EnvelopeFault('unknown_key');
  const dataKey = readGcm(
    masterKey.key,
    envelope.subarray(WRAP_NONCE_AT, WRAPPED_KEY_AT),
    Buffer.concat([envelope.subarray(0, WRAP_NONCE_AT), context]),
    envelope.subarray(WRAPPED_KEY_AT, CONTENT_NONCE_AT),
  );
  if (dataKey === undefined) throw new EnvelopeFault('not_authentic');
  const content = readGcm(
    importKey(dataKey),
    envelope.subarray(CONTENT_NONCE_AT, CONTENT_AT),
    Buffer.concat([envelope.subarray(0, CONTENT_AT), context]),
    envelope.subarray(CONTENT_AT),
  );
  dataKey.fill(0);
  if (content === undefined) throw new EnvelopeFault('not_authentic');
  return content;
}

/** The id of the master key an envelope was sealed with. Throws EnvelopeFault. */
export function readKeyId(envelope: Uint8Array): string {
  if (envelope.byteLength < ENVELOPE_BYTES_MIN) throw new EnvelopeFault('malformed');
  if (envelope[0] !== FORMAT_VERSION) throw new EnvelopeFault('unknown_format');
  return Buffer.from(envelope.subarray(1, WRAP_NONCE_AT)).toString('hex');
}
