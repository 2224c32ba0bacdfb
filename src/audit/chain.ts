/**
 * The hash chain of the trail (`audit.chain: on`): each stored row carries SHA-256 of the hash before it and
 * of its own cells, so that a row that was changed, put in or taken out later is found. Whoever can write to
 * the database can also compute a new chain: keep the newest hash elsewhere (`GET /audit/verify` tells it).
 */
import { createHash } from 'node:crypto';

/** Before the first row of a chain. */
export const CHAIN_BEGIN: Uint8Array = new Uint8Array(32);

/** The cells as they are stored, in the order of the columns, the row's id first. */
export function chainHash(previous: Uint8Array, cells: readonly unknown[]): Buffer {
  return createHash('sha256').update(previous).update(JSON.stringify(cells)).digest();
}
