/**
 * An IP address in one spelling. IPv4 embedded in IPv6 (v4-mapped, NAT64, 6to4, Teredo) is judged by
 * the embedded address; `Address` always is what would be dialled.
 */
export interface Address {
  readonly family: 4 | 6;
  /** Canonical text (RFC 5952 for IPv6), no zone, no brackets. */
  readonly text: string;
}
