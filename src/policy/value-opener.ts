/**
 * Opening a value, as the data plane sees it: only with a permit (I2). Warm values come from a bounded
 * cache keyed by version, so a permit is still asked for each request and a revoked secret has none.
 */
import type { Hidden } from '../kernel/hidden.ts';
import type { Permit } from './permit.ts';

export interface ValueOpener {
  /** Refusal `credential_unavailable` when the envelope does not open. */
  openValue(permit: Permit): Hidden;
}
