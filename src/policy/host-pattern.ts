/**
 * A host pattern: an exact canonical name or address, or `*.suffix`. In secrets the wildcard stands for
 * exactly one label; in network rules for any depth. Never for the apex. Compared label by label.
 */
export interface HostPattern {
  readonly text: string;
  readonly kind: 'exact' | 'wildcard';
  /** For a wildcard: `.suffix` with its leading dot. */
  readonly suffix: string;
  readonly depth: 'one' | 'any';
}
