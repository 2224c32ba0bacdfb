/**
 * The internal-address guard as decisions see it: spec section 3, three tiers. Implemented in
 * `src/egress/address-guard.ts` from the settings and the listeners' own addresses.
 */
import type { Address } from '../wire/address.ts';

/** IANA special-purpose classes, named as refusals name them. */
export type AddressClass =
  | 'listener'
  | 'metadata'
  | 'loopback'
  | 'private'
  | 'link_local'
  | 'carrier_grade_nat'
  | 'unique_local'
  | 'unspecified'
  | 'multicast'
  | 'documentation'
  | 'benchmarking'
  | 'reserved';

export interface AddressGuard {
  /** The class that forbids this address and port, `null` when it may be dialled. */
  classify(address: Address, port: number): AddressClass | null;
}
