/**
 * Request trailers as they leave: a client's own credential must not arrive after the head either, so
 * what is claimed, hop-by-hop or owned by the connection is left out (RFC 9110 6.5.1: framing, routing
 * and authentication fields are no trailers). The rest keeps order, case and duplicates.
 */
import type { Winner } from '../policy/decision.ts';
import { withoutFields } from '../wire/field-list.ts';
import { isConnectionOwned, isHopByHop } from '../wire/hop-by-hop.ts';

/** `trailers`: flat name, value array. */
export function composeTrailers(trailers: readonly string[], winners: readonly Winner[]): string[] {
  return withoutFields(
    trailers,
    (normalized) =>
      isHopByHop(normalized) ||
      isConnectionOwned(normalized) ||
      winners.some((winner) => winner.stripFields.includes(normalized)),
  );
}
