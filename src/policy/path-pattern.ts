/**
 * A path pattern: begins with `/`; `*` within one segment; a trailing `/**` for everything below.
 * Compiled once, when the snapshot is made.
 */
export interface PathPattern {
  readonly text: string;
  /** Longer literal prefixes are more specific. */
  readonly literalLength: number;
  readonly segments: readonly string[];
  /** Ends in `/**`. */
  readonly below: boolean;
}
