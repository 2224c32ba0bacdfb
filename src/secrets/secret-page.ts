/**
 * What `GET /secrets` can ask for, and the place where a page ends. Pure data.
 */
import type { SecretFilter, SecretRow } from './secret-store.ts';

type SecretPlace = NonNullable<SecretFilter['after']>;

export interface SecretPage {
  readonly rows: readonly SecretRow[];
  /** Where to go on; `null` at the end. */
  readonly next: SecretPlace | null;
}
