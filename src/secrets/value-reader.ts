/**
 * Values as the control plane may see them: compared with what a client sent, so that writing the same
 * value makes no version; and opened for `reveal`, where the configuration allows it. Implemented by
 * `src/vault`. Nothing on the path of a sandbox's request has one.
 */
import type { Hidden } from '../kernel/hidden.ts';
import type { SealedVersion } from './secret.ts';

export interface ValueReader {
  /** False, too, when the envelope does not open. */
  isSameValue(version: SealedVersion, value: Hidden): boolean;
  /** Refusal `credential_unavailable`. */
  openVersion(version: SealedVersion): Hidden;
}
