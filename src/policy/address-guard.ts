/**
 * The internal-address guard as decisions see it: spec section 3, three tiers. Implemented in
 * `src/egress/address-guard.ts` from the settings and the listeners' own addresses.
 */
import type { Address } from '../wire/address.ts';
import type { SpecialPurposeClass } from '../wire/special-purpose.ts';

/** What forbids an address, named as refusals name it. */
export type AddressClass = SpecialPurposeClass | 'listener' | 'metadata';

export interface AddressGuard {
  /** The class that forbids this address and port, `null` when it may be dialled. */
  classify(address: Address, port: number): AddressClass | null;
}
