/**
 * The proxy that egress goes through where the operator's network wants that (spec section 7): CONNECT for
 * everything, plain http too (RFC 9110 9.3.6). Its credentials go to it and to nobody else. It is asked for
 * the name, after the name's addresses were checked here, for a checked address, or for a name that only it
 * can resolve; what it does with a name is its own (docs/LIMITS.md).
 */
import type { Limits } from '../kernel/limits.ts';
import { matchesAnyHost } from '../policy/host-pattern.ts';
import type { HostPattern } from '../policy/host-pattern.ts';
import type { Address } from '../wire/address.ts';
import { formatAuthority, parseHost } from '../wire/host.ts';
import { isInCidr } from '../wire/ranges.ts';
import type { Cidr } from '../wire/ranges.ts';
import { connectThrough, ParentAnswer } from './connect-through.ts';
import type { ParentCredentials } from './connect-through.ts';
import type { DialTarget } from './dial.ts';
import { raceAddresses } from './race-addresses.ts';
import type { RacedSocket } from './race-addresses.ts';
import { resolveParent } from './parent-address.ts';
import type { ParentLocator } from './parent-address.ts';
import { secureSocket } from './secure-socket.ts';
import type { Trust } from './trust.ts';

export interface ParentProxy {
  /** Dialled directly, by name or because every address is in a bypassed range. */
  isBypassed(target: DialTarget): boolean;
  /** Refusal `upstream_unreachable`, `upstream_timeout`, `upstream_tls_failed`, `dns_failed`. */
  dial(target: DialTarget, signal: AbortSignal | undefined): Promise<RacedSocket>;
}

export interface ParentProxyOptions extends ParentLocator {
  readonly scheme: 'http' | 'https';
  readonly bypass: { readonly hosts: readonly HostPattern[]; readonly ranges: readonly Cidr[] };
  readonly connectTo: 'name' | 'address';
  /** Names of `egress.hosts`: what they stand for is known here only. */
  readonly fixedNames: ReadonlySet<string>;
  /** Asked for each connection; `null`: none are sent. Rejects with Refusal. */
  readonly credentials: (() => Promise<ParentCredentials>) | null;
  readonly trust: Trust;
  readonly limits: Pick<Limits, 'connectTimeoutMs' | 'tlsHandshakeTimeoutMs' | 'tcpKeepAliveMs'>;
}

export function createParentProxy(options: ParentProxyOptions): ParentProxy {
  return {
    isBypassed: (target) => isBypassed(options, target),
    dial: (target, signal) => dial(options, target, signal),
  };
}

function isBypassed({ bypass }: ParentProxyOptions, target: DialTarget): boolean {
  // Its addresses are the parent's.
  if (target.isByParent === true) return false;
  const { host, addresses } = target;
  if (matchesAnyHost(bypass.hosts, parseHost(host))) return true;
  const isInside = (address: Address) => bypass.ranges.some((range) => isInCidr(address, range));
  return bypass.ranges.length > 0 && addresses.every(isInside);
}

/** One CONNECT by name, or one after another by address until the parent reaches one. */
async function dial(
  options: ParentProxyOptions,
  target: DialTarget,
  signal: AbortSignal | undefined,
): Promise<RacedSocket> {
  // First: between a connection and its first listener nothing may be waited for.
  const credentials = (await options.credentials?.()) ?? null;
  let refused: unknown;
  for (const { authority, address } of routesTo(options, target)) {
    const { socket, address: parent } = await openParent(options, target, signal);
    try {
      await connectThrough(socket, { ...options.limits, authority, credentials, signal });
      return { socket, address: address ?? parent };
    } catch (error) {
      socket.on('error', ignoreError).destroy();
      if (!(error instanceof ParentAnswer) || !error.mayReachAnother) throw error;
      refused = error;
    }
  }
  throw refused;
}

interface Route {
  readonly authority: string;
  /** `null`: not known here, so the parent's own counts. */
  readonly address: Address | null;
}

function routesTo(options: ParentProxyOptions, target: DialTarget): readonly Route[] {
  const { host, port, addresses, dialPort } = target;
  const byName = formatAuthority({ host: parseHost(host), port }, NO_PORT);
  if (target.isByParent === true) return [{ authority: byName, address: null }];
  const [first] = addresses;
  // What `egress.hosts` says, the parent cannot know.
  const isKnownOutside = dialPort === port && !options.fixedNames.has(host);
  if (options.connectTo === 'name' && isKnownOutside && first !== undefined) {
    return [{ authority: byName, address: first }];
  }
  return addresses.map((address) => {
    const literal = { host: parseHost(address.text), port: dialPort };
    return { authority: formatAuthority(literal, NO_PORT), address };
  });
}

/** A CONNECT always names its port. */
const NO_PORT = 0;

/** A connection to the parent itself, verified where it speaks TLS. */
async function openParent(
  options: ParentProxyOptions,
  target: DialTarget,
  signal: AbortSignal | undefined,
): Promise<RacedSocket> {
  const { authority, limits, trust } = options;
  const { addresses, dialPort } =
    target.isByParent === true ? target : await resolveParent(options);
  const { socket, address } = await raceAddresses(
    { addresses, dialPort, peer: 'parent proxy' },
    limits,
    signal,
  );
  if (options.scheme === 'http') return { socket, address };
  const { host } = authority;
  const secured = await secureSocket(socket, {
    host: host.text,
    alpn: ['http/1.1'],
    trust,
    secureContext: trust.setFor(host.text).contextFor(null),
    timeoutMs: limits.tlsHandshakeTimeoutMs,
    peer: 'parent proxy',
    signal,
  });
  return { socket: secured, address };
}

function ignoreError(): void {
  // The failure is reported already; a socket without a listener would end the process.
}
