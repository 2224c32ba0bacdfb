/**
 * May this sandbox reach this target? Spec section 3, pure. Asked first without addresses and, when the
 * answer is `resolve`, again with them. One deliberate difference in order: a *name* that its rules and
 * port already refuse is refused unresolved, because a DNS query is itself a way out. Literals meet the
 * address guard first. `egress.mode: observe` turns what rules, ports and the default refuse into an
 * allowance that says so; the guard always refuses. Where only the parent proxy resolves, the name is judged
 * alone (docs/decisions/0028). Never says an address to the client; that goes to `auditDetail`.
 */
import { Refusal } from '../kernel/errors.ts';
import type { Address } from '../wire/address.ts';
import type { Authority, Host } from '../wire/host.ts';
import type { AddressClass, AddressGuard } from './address-guard.ts';
import type { NetworkDecision, Observed } from './decision.ts';
import {
  containsAddress,
  coversPort,
  reachesAddress,
  readHostEntry,
  type NetworkEntry,
} from './network-rules.ts';
import { bindingsForHost } from './binding-index.ts';
import { readInsideName } from './inside-name.ts';
import type { CompiledBinding, Snapshot } from './snapshot.ts';

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

export interface NetworkEnvironment {
  readonly guard: AddressGuard;
  /** `egress.default`. */
  readonly defaultVerdict: 'allow' | 'deny';
  /** `egress.mode`. */
  readonly mode: 'enforce' | 'observe';
  /** `egress.ports`, both ends included. */
  readonly ports: readonly PortRange[];
  /** From `egress.hosts: name → address:port`: the port that is dialled, judged by the guard. */
  readonly dialPort?: number | null;
  /** The addresses are the parent proxy's, which alone can resolve the name: the name is all there is to judge. */
  readonly isByParent?: boolean;
  /** Names of this instance itself. */
  readonly ownNames?: ReadonlySet<string>;
}

/** `resolved`: every answer for the name, `null` before it was asked. Ignored for address literals. */
export function decideNetwork(
  snapshot: Snapshot,
  target: Authority,
  resolved: readonly Address[] | null,
  environment: NetworkEnvironment,
): NetworkDecision {
  const literal = literalAddress(target.host);
  const addresses = literal === null ? resolved : [literal];
  const guardPort = environment.dialPort ?? target.port;
  const isByParent = literal === null && environment.isByParent === true;
  if (isByParent) {
    const inside = insideRefusal(target.host, environment);
    if (inside !== null) return inside;
  }
  if (literal !== null) {
    const internal = guardRefusal(environment.guard, [literal], guardPort);
    if (internal !== null) return internal;
  }
  const named = isByParent
    ? decideByNameAlone(snapshot, target, environment)
    : decideByName(snapshot, target, literal === null, environment);
  const closed = named.verdict === 'refuse' ? named : portRefusal(snapshot, target, environment);
  if (closed !== null && environment.mode === 'enforce') return closed;
  const observed = closed === null ? null : observe(closed);
  if (addresses === null) return { verdict: 'resolve', observed };
  if (addresses.length === 0) {
    return { verdict: 'refuse', refusal: new Refusal('dns_failed'), matchRule: null };
  }
  if (literal === null && !isByParent) {
    const internal = guardRefusal(environment.guard, addresses, guardPort);
    if (internal !== null) return internal;
  }
  if (observed !== null) return { ...allow(addresses, observed.matchRule), observed };
  if (named.verdict === 'allow') return allow(addresses, named.matchRule);
  const decision = decideByAddress(snapshot, target, addresses, environment);
  if (decision.verdict === 'allow' || environment.mode === 'enforce') return decision;
  return { ...allow(addresses, decision.matchRule), observed: observe(decision) };
}

type Refused = Extract<NetworkDecision, { verdict: 'refuse' }>;
type Allowed = Extract<NetworkDecision, { verdict: 'allow' }>;

function allow(addresses: readonly Address[], matchRule: string | null): Allowed {
  return { verdict: 'allow', addresses, matchRule, observed: null };
}

function observe({ refusal, matchRule }: Refused): Observed {
  return { code: refusal.code, matchRule };
}

/** What the name alone settles. */
type NameDecision =
  | { readonly verdict: 'allow'; readonly matchRule: string }
  | Refused
  | { readonly verdict: 'open' };

function decideByName(
  snapshot: Snapshot,
  target: Authority,
  isName: boolean,
  environment: NetworkEnvironment,
): NameDecision {
  const { allow, deny } = snapshot.network;
  const { host, port } = target;
  const denied = readHostEntry(deny, host, port);
  if (denied !== undefined) return hostDenied(denied);
  const allowed = readHostEntry(allow, host, port);
  if (allowed !== undefined) return { verdict: 'allow', matchRule: `allow_out: ${allowed.text}` };
  const needsAddress = allow.some((entry) => entry.range !== null && coversPort(entry, port));
  if (needsAddress || !isName) return { verdict: 'open' };
  const everything = deny.find((entry) => entry.isEverything && coversPort(entry, port));
  if (everything !== undefined) return hostDenied(everything);
  return refusalWithoutMatch(snapshot, target, environment) ?? { verdict: 'open' };
}

/** All steps without an address (docs/decisions/0028): an entry that needs one refuses what reaches it. */
function decideByNameAlone(
  snapshot: Snapshot,
  target: Authority,
  environment: NetworkEnvironment,
): NameDecision {
  const named = decideByName(snapshot, target, true, environment);
  if (named.verdict !== 'open') return named;
  const { allow, deny } = snapshot.network;
  const isRange = (entry: NetworkEntry) => entry.range !== null && coversPort(entry, target.port);
  const everything = allow.find((entry) => entry.isEverything && isRange(entry));
  if (everything !== undefined) {
    return { verdict: 'allow', matchRule: `allow_out: ${everything.text}` };
  }
  const allowed = allow.find(isRange);
  if (allowed !== undefined) return notJudged('host_not_allowed', 'allow_out', allowed);
  const denied = deny.find(isRange);
  if (denied !== undefined) return notJudged('host_denied', 'deny_out', denied);
  const refused = refusalWithoutMatch(snapshot, target, environment);
  return refused ?? { verdict: 'allow', matchRule: defaultRule(snapshot, target, environment) };
}

function notJudged(
  code: 'host_denied' | 'host_not_allowed',
  list: 'allow_out' | 'deny_out',
  { text }: NetworkEntry,
): Refused {
  const refusal = new Refusal(code, {
    message: `Only the parent proxy resolves this host, so ${text} in ${list} cannot be judged.`,
    hint: 'Name the host in allow_out, or have the operator resolve it here (egress.hosts, egress.parent_proxy.bypass or resolve).',
  });
  return { verdict: 'refuse', refusal, matchRule: `${list}: ${text}` };
}

/** Steps 3 to 6 for what the name left open. `addresses` passed the guard. */
function decideByAddress(
  snapshot: Snapshot,
  target: Authority,
  addresses: readonly Address[],
  environment: NetworkEnvironment,
): Allowed | Refused {
  const rules = snapshot.network;
  for (const entry of rules.allow) {
    if (!coversPort(entry, target.port)) continue;
    if (addresses.every((address) => containsAddress(entry, address))) {
      return allow(addresses, `allow_out: ${entry.text}`);
    }
  }
  for (const entry of rules.deny) {
    if (!coversPort(entry, target.port)) continue;
    if (addresses.some((address) => reachesAddress(entry, address))) return hostDenied(entry);
  }
  const refused = refusalWithoutMatch(snapshot, target, environment);
  if (refused !== null) return refused;
  return allow(addresses, defaultRule(snapshot, target, environment));
}

/** Steps 5 and 6: a non-empty allow list, or the default, refuses what nothing matched. */
function refusalWithoutMatch(
  snapshot: Snapshot,
  target: Authority,
  environment: NetworkEnvironment,
): Refused | null {
  if (snapshot.network.allow.length > 0) {
    return { verdict: 'refuse', refusal: new Refusal('host_not_allowed'), matchRule: null };
  }
  if (environment.defaultVerdict === 'allow') return null;
  if (attachedBindings(snapshot, target.host).length > 0) return null;
  const message = 'This proxy refuses every host that nothing allows (egress.default: deny).';
  return {
    verdict: 'refuse',
    refusal: new Refusal('host_not_allowed', { message }),
    matchRule: 'default: deny',
  };
}

function defaultRule(
  snapshot: Snapshot,
  target: Authority,
  environment: NetworkEnvironment,
): string {
  if (environment.defaultVerdict === 'allow') return 'default: allow';
  const binding = attachedBindings(snapshot, target.host)[0];
  return `binding: ${binding?.envKey ?? ''}`;
}

/** Attached ones, dead secrets included: their hosts stay reachable so that the refusal can say why. */
function attachedBindings(snapshot: Snapshot, host: Host): readonly CompiledBinding[] {
  return bindingsForHost(snapshot.index, host).filter((binding) => !binding.detached);
}

function isPortOpen(snapshot: Snapshot, target: Authority, ports: readonly PortRange[]): boolean {
  for (const range of ports) {
    if (target.port >= range.from && target.port <= range.to) return true;
  }
  return attachedBindings(snapshot, target.host).some((binding) =>
    binding.ports.includes(target.port),
  );
}

function literalAddress(host: Host): Address | null {
  if (host.kind === 'name') return null;
  return { family: host.kind === 'ipv4' ? 4 : 6, text: host.text };
}

function hostDenied(entry: NetworkEntry): Refused {
  const matchRule = `deny_out: ${entry.text}`;
  const message = `The entry ${entry.text} in deny_out of this sandbox refuses this host.`;
  return { verdict: 'refuse', refusal: new Refusal('host_denied', { message }), matchRule };
}

/** `null`: the port is open. */
function portRefusal(
  snapshot: Snapshot,
  target: Authority,
  { ports }: NetworkEnvironment,
): Refused | null {
  const { port } = target;
  if (isPortOpen(snapshot, target, ports)) return null;
  const message = `Port ${port} is not open for egress.`;
  return {
    verdict: 'refuse',
    refusal: new Refusal('port_denied', { message }),
    matchRule: 'egress.ports',
  };
}

/** One internal answer refuses the name: the others may be there to get past the check. */
function guardRefusal(
  guard: AddressGuard,
  addresses: readonly Address[],
  port: number,
): Refused | null {
  for (const address of addresses) {
    const internal = guard.classify(address, port);
    if (internal === null) continue;
    const refusal = new Refusal('internal_address_denied', {
      message: `The host is, or resolves to, an internal address (${internal}).`,
      hint: guardHint(internal),
      auditDetail: `${address.text} is ${internal}`,
    });
    return { verdict: 'refuse', refusal, matchRule: `guard: ${internal}` };
  }
  return null;
}

/** What stands for the guard where no address is known. */
function insideRefusal(host: Host, { ownNames }: NetworkEnvironment): Refused | null {
  const inside = readInsideName(host, ownNames ?? NO_NAMES);
  if (inside === null) return null;
  const refusal = new Refusal('internal_address_denied', {
    message: `The name is one for the inside of a network (${inside}), and its address is not known here.`,
    hint:
      inside === 'listener'
        ? guardHint(inside)
        : 'An operator can give its address in egress.hosts, or list it in egress.parent_proxy.bypass.',
  });
  return { verdict: 'refuse', refusal, matchRule: `guard: ${inside}` };
}

const NO_NAMES: ReadonlySet<string> = new Set();

function guardHint(internal: AddressClass): string {
  if (internal === 'listener') return 'The listeners of this proxy are never reached through it.';
  if (internal === 'metadata') {
    return 'An operator can list this exact address in egress.allow_private; a range is not enough.';
  }
  return 'An operator can list a range that contains it in egress.allow_private.';
}
