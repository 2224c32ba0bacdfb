/**
 * May this sandbox use the proxy at all now? Its status, its end and where it calls from. Pure. Asked at
 * every CONNECT and every request, so that an open tunnel ends with its sandbox (spec section 5.3).
 */
import { Refusal } from '../kernel/errors.ts';
import type { Address } from '../wire/address.ts';
import { isInCidr } from '../wire/ranges.ts';
import type { Snapshot } from './snapshot.ts';

/** `null`: it may. `nowMs` is wall clock. */
export function decideSandbox(snapshot: Snapshot, nowMs: number): Refusal | null {
  const { expiresAtMs, status } = snapshot;
  if (expiresAtMs !== null && expiresAtMs <= nowMs) return new Refusal('sandbox_expired');
  return status === 'paused' ? new Refusal('sandbox_paused') : null;
}

/** Does its token work from this address? Without `source_cidrs` from everywhere. */
export function isSourceAllowed(snapshot: Snapshot, source: Address): boolean {
  const { sourceCidrs } = snapshot;
  return sourceCidrs.length === 0 || sourceCidrs.some((range) => isInCidr(source, range));
}
