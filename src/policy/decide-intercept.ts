/**
 * Does the proxy look inside this tunnel? Spec section 4: where a binding of this sandbox names the
 * host, on any port, dead bindings too, so that a placeholder is refused by name instead of leaking past.
 * Hosts that only the network rules know are tunnelled. The operator's `never_intercept` comes first.
 */
import type { Authority } from '../wire/host.ts';
import { bindingsForHost } from './binding-index.ts';
import type { InterceptDecision } from './decision.ts';
import { matchesAnyHost, type HostPattern } from './host-pattern.ts';
import type { Snapshot } from './snapshot.ts';

export function decideIntercept(
  snapshot: Snapshot,
  target: Authority,
  neverIntercept: readonly HostPattern[],
): InterceptDecision {
  if (matchesAnyHost(neverIntercept, target.host)) return 'tunnel';
  if (snapshot.interceptAll) return 'intercept';
  return bindingsForHost(snapshot.index, target.host).length > 0 ? 'intercept' : 'tunnel';
}
