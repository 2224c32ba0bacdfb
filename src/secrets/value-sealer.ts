/**
 * Sealing as the domain sees it: values go in, envelopes come out. Opening is the other direction and is
 * not here: it takes a permit (`src/policy/value-opener.ts`). Both are implemented by `src/vault`.
 */
import type { Hidden } from '../kernel/hidden.ts';

/** What the associated data binds: a ciphertext moved to another row does not open. */
export interface ValueContext {
  readonly organizationId: string;
  readonly secretId: string;
  readonly versionId: string;
}

export interface ValueSealer {
  sealValue(context: ValueContext, value: Hidden): Uint8Array;
}
