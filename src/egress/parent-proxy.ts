/**
 * The proxy that egress goes through where the operator's network wants that (spec section 7): CONNECT for
 * everything, plain http too (RFC 9110 9.3.6). Its credentials go to it and to nobody else. It is asked for
 * the name, after the name's addresses were checked here, or for a checked address; what it does with a
 * name is its own (docs/LIMITS.md). Its own address is the operator's word, and never one of our listeners.
 */
import type { Socket } from 'node:net';
import { Refusal } from '../kernel/errors.ts';
import type { Limits } from '../kernel/limits.ts';
import type { AddressGuard } from '../policy/address-guard.ts';
import { matchesAnyHost } from '../policy/host-pattern.ts';
import type { HostPattern } from '../policy/host-pattern.ts';
import type { Address } from '../wire/address.ts';
import { formatAuthority, parseHost } from '../wire/host.ts';
import type { Authority, Host } from '../wire/host.ts';
import { isInCidr } from '../wire/ranges.ts';
import type { Cidr } from '../wire/ranges.ts';
import { connectThrough, ParentAnswer } from './connect-through.ts';
import type { ParentCredentials } from './connect-through.ts';
import type { DialTarget } from './dial.ts';
import { raceAddresses } from './race-addresses.ts';
import type { RacedSocket } from './race-addresses.ts';
import type { Resolution, Resolver } from './resolve.ts';
import { secureSocket } from './secure-socket.ts';
import type { Trust } from './trust.ts';

export interface ParentProxy {
  /** Dialled directly, by name or because every address is in a bypassed range. */
  isBypassed(target: DialTarget): boolean;
  /** Refusal `upstream_unreachable`, `upstream_timeout`, `upstream_tls_failed`, `dns_failed`. */
  dial(target: DialTarget, signal: AbortSignal | undefined): Promise<RacedSocket>;
}

export interface ParentProxyOptions {
  readonly scheme: 'http' | 'https';
  readonly authority: Authority;
  readonly bypass: { readonly hosts: readonly HostPattern[]; readonly ranges: readonly Cidr[] };
  readonly connectTo: 'name' | 'address';
  /** Names of `egress.hosts`: what they stand for is known here only. */
  readonly fixedNames: ReadonlySet<string>;
  /** Asked for each connection; `null`: none are sent. Rejects with Refusal. */
  readonly credentials: (() => Promise<ParentCredentials>) | null;
  readonly resolver: Pick<Resolver, 'resolve'>;
  readonly guard: AddressGuard;
  readonly trust: Trust;
  readonly limits: Pick<Limits, 'connectTimeoutMs' | 'tlsHandshakeTimeoutMs' | 'tcpKeepAliveMs'>;
}

export function createParentProxy(options: ParentProxyOptions): ParentProxy {
  return {
    isBypassed: (target) => isBypassed(options, target),
    dial: (target, signal) => dial(options, target, signal),
  };
}

function isBypassed({ bypass }: ParentProxyOptions, { host, addresses }: DialTarget): boolean {
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
    const socket = await openParent(options, signal);
    try {
      await connectThrough(socket, { ...options.limits, authority, credentials, signal });
      return { socket, address };
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
  readonly address: Address;
}

function routesTo(options: ParentProxyOptions, target: DialTarget): readonly Route[] {
  const { host, port, addresses, dialPort } = target;
  const [first] = addresses;
  // What `egress.hosts` says, the parent cannot know.
  const isKnownOutside = dialPort === port && !options.fixedNames.has(host);
  if (options.connectTo === 'name' && isKnownOutside && first !== undefined) {
    return [
      { authority: formatAuthority({ host: parseHost(host), port }, NO_PORT), address: first },
    ];
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
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const { authority, guard, limits, resolver, trust } = options;
  const { host, port } = authority;
  const { addresses, dialPort } = await resolveParent(resolver, host);
  const own = addresses.find((address) => guard.classify(address, dialPort ?? port) === 'listener');
  if (own !== undefined) {
    throw new Refusal('upstream_unreachable', {
      message: 'The parent proxy is this proxy itself.',
      hint: 'The operator has to correct egress.parent_proxy.url.',
    });
  }
  const target = { addresses, dialPort: dialPort ?? port, peer: 'parent proxy' as const };
  const { socket } = await raceAddresses(target, limits, signal);
  if (options.scheme === 'http') return socket;
  return secureSocket(socket, {
    host: host.text,
    alpn: ['http/1.1'],
    trust,
    secureContext: trust.setFor(host.text).contextFor(null),
    timeoutMs: limits.tlsHandshakeTimeoutMs,
    peer: 'parent proxy',
    signal,
  });
}

/** Whoever reads `dns_failed` thinks of the host that was asked for. */
async function resolveParent(
  resolver: ParentProxyOptions['resolver'],
  host: Host,
): Promise<Resolution> {
  try {
    return await resolver.resolve(host, PARENT_LOOKUPS);
  } catch (cause) {
    throw new Refusal('upstream_unreachable', {
      message: 'The name of the parent proxy could not be resolved.',
      hint: 'The operator has to look at egress.parent_proxy.url and egress.dns.',
      auditDetail: 'name of the parent proxy not resolved',
      cause,
    });
  }
}

/** Stands where look-ups are counted by sandbox. */
const PARENT_LOOKUPS = 'parent proxy';

function ignoreError(): void {
  // The failure is reported already; a socket without a listener would end the process.
}
