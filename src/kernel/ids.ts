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
