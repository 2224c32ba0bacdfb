/**
 * Identifiers and credentials we mint. Ids are random UUIDs (RFC 9562, version 4). Tokens carry at
 * least 192 random bits and a prefix that secret scanners can recognize; only their SHA-256 is stored.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';

/** A new random UUID. */
export function mintId(): string {
  return randomUUID();
}

/** `PREFIX` + 32 random bytes in base64url: 256 bits. */
export function mintToken(prefix: TokenPrefix): string {
  return prefix + randomBytes(32).toString('base64url');
}

/**
 * `sp_live_` an admin API key · `sp_box_` a sandbox token · `sp_acc_` the `access_token` that satisfies
 * Superserve's SDK and opens nothing here.
 */
export type TokenPrefix = 'sp_live_' | 'sp_box_' | 'sp_acc_';

/**
 * SHA-256 of a token, hex. Tokens are uniformly random, so a fast hash is enough: there is nothing to
 * guess that a slow one would protect.
 */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** `length` characters drawn evenly from `alphabet` (at most 256 different ones). */
export function mintText(length: number, alphabet: string): string {
  // Bytes above the last whole multiple would favour the first characters: they are drawn again.
  const ceiling = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < ceiling && text.length < length) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return text;
}

const processPart = randomBytes(6).toString('base64url');
let requestCount = 0;

/** Names one exchange in logs, audit rows and refusals. Unique, not secret, cheap: one per request. */
export function mintRequestId(): string {
  requestCount += 1;
  return `req_${processPart}${requestCount.toString(36)}`;
}
