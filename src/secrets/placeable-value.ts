/**
 * Can a value be carried where its auth would place it? Asked whenever value and auth are both at hand.
 * Says what is wrong with the value without saying any of it.
 */
import { placeableFault } from '../inject/settable-fields.ts';
import { fieldError } from '../kernel/field-error.ts';
import type { Hidden } from '../kernel/hidden.ts';
import { FIXED } from '../kernel/limits.ts';
import { placementsOf, type Auth } from './auth.ts';

/** ControlError `bad_request` (length) or `value_not_placeable`. */
export function checkPlaceable(value: Hidden, auth: Auth | null): void {
  const bytes = Buffer.byteLength(value.reveal());
  if (bytes < 1) throw fieldError('value', 'must not be empty');
  if (auth === null) {
    if (bytes <= FIXED.storedValueBytesMax) return;
    throw fieldError('value', `must have at most ${FIXED.storedValueBytesMax} bytes`);
  }
  const placements = placementsOf(auth);
  const bytesMax = placements.every((placement) => placement.type === 'mtls')
    ? FIXED.clientCertificateBytesMax
    : FIXED.placeableValueBytesMax;
  if (bytes > bytesMax) throw fieldError('value', `must have at most ${bytesMax} bytes`);
  for (const placement of placements) {
    const fault = placeableFault(value, placement);
    if (fault !== null) throw fieldError('value', fault, 'value_not_placeable');
  }
}
