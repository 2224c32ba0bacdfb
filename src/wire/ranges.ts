/** A CIDR range (RFC 4632, RFC 4291). The parsed form is opaque to callers; match with `isInCidr`. */
export interface Cidr {
  readonly family: 4 | 6;
  /** Canonical text, `network/prefix`. */
  readonly text: string;
  readonly network: bigint;
  readonly prefix: number;
}
