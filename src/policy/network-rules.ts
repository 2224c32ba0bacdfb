/** The compiled `network` of a sandbox: host entries and range entries of both lists. */
import type { Cidr } from '../wire/ranges.ts';
import type { HostPattern } from './host-pattern.ts';

export interface NetworkEntry {
  /** As the admin wrote it, canonicalized. */
  readonly text: string;
  readonly host: HostPattern | null;
  readonly range: Cidr | null;
  /** `null`: every port. */
  readonly port: number | null;
}

export interface NetworkRules {
  readonly allow: readonly NetworkEntry[];
  readonly deny: readonly NetworkEntry[];
}
