/**
 * May a tunnel to one host carry a TLS handshake that asks for another (`egress.tunnel_sni: check`)? The
 * name it asks for is judged like a CONNECT to it, at the address the tunnel goes to, whatever
 * `egress.mode` says; a name whose traffic would be intercepted may not travel in a tunnel either. Pure.
 */
import type { Address } from '../wire/address.ts';
import { parseHost } from '../wire/host.ts';
import type { Authority, Host } from '../wire/host.ts';
import { decideIntercept } from './decide-intercept.ts';
import { decideNetwork, type NetworkEnvironment } from './decide-network.ts';
import type { HostPattern } from './host-pattern.ts';
import type { Snapshot } from './snapshot.ts';

export interface TunnelEnd {
  readonly target: Authority;
  /** Where it is connected to. */
  readonly address: Address;
  /** The port it is connected to: another one with `egress.hosts: name → address:port`. */
  readonly dialPort: number;
  /** The address is the parent proxy's. */
  readonly isByParent?: boolean;
}

/** Why not, for the audit row; `null`: it may. */
export function decideServerName(
  snapshot: Snapshot,
  { target, address, dialPort, isByParent = false }: TunnelEnd,
  serverName: string,
  context: {
    readonly network: NetworkEnvironment;
    readonly neverIntercept: readonly HostPattern[];
  },
): string | null {
  const host = readHost(serverName);
  if (host === undefined) return 'the server name of the TLS hello is no host';
  if (host.text === target.host.text) return null;
  const named = { host, port: target.port };
  const environment = { ...context.network, mode: 'enforce', dialPort, isByParent } as const;
  const decision = decideNetwork(snapshot, named, [address], environment);
  if (decision.verdict === 'refuse') return `${host.text}: ${decision.refusal.code}`;
  if (decideIntercept(snapshot, named, context.neverIntercept) === 'intercept') {
    return `${host.text}: a host that is intercepted`;
  }
  return null;
}

function readHost(text: string): Host | undefined {
  try {
    return parseHost(text);
  } catch {
    return undefined;
  }
}
