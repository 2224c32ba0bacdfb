/**
 * The one way out: every connection to an origin, for HTTP, WebSocket and tunnels, is opened here, directly
 * or through the parent proxy. It dials exactly the addresses it is given, which somebody has checked (I5),
 * and verifies certificates for the origin's host. It never resolves a name of an origin and never decides.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { BoundedMap } from '../kernel/bounded-map.ts';
import { systemClock } from '../kernel/clock.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Limits } from '../kernel/limits.ts';
import type { Address } from '../wire/address.ts';
import type { ParentProxy } from './parent-proxy.ts';
import { raceAddresses } from './race-addresses.ts';
import { secureSocket } from './secure-socket.ts';
import type { KeptSession } from './secure-socket.ts';
import type { Trust } from './trust.ts';
import type { Origin } from './upstream.ts';

interface DialOptions {
  /** Aborting rejects with the signal's reason and destroys what was being opened. */
  readonly signal?: AbortSignal | undefined;
}

/** Where to, by checked addresses. */
export type DialTarget = Pick<Origin, 'host' | 'port' | 'addresses' | 'dialPort' | 'isByParent'>;

export interface Dialer {
  /** Rejects with Refusal `upstream_unreachable` or `upstream_timeout`. */
  dialTcp(target: DialTarget, options?: DialOptions): Promise<Socket>;
  /** Resolves when the certificate has been verified; else as above or `upstream_tls_failed`. */
  dialTls(
    origin: DialTarget & Pick<Origin, 'organizationId' | 'clientIdentity'>,
    options: DialOptions & { readonly alpn: readonly string[] },
  ): Promise<TLSSocket>;
  /** What two connections to one host must have in common to be shared: trust set, client certificate. */
  tlsKey(origin: Pick<Origin, 'host' | 'clientIdentity'>): string;
  /** Which of the checked addresses a dialled socket was opened for (I5); not always its peer's. */
  addressOf(socket: Duplex): Address | undefined;
}

export interface DialerOptions {
  readonly trust: Trust;
  readonly limits: Pick<Limits, 'connectTimeoutMs' | 'tlsHandshakeTimeoutMs' | 'tcpKeepAliveMs'>;
  /** Everything it does not bypass goes through it. */
  readonly parent?: ParentProxy | null;
  /** Every established TCP connection, for metrics. */
  readonly onConnection?: (socket: Socket) => void;
}

export function createDialer(options: DialerOptions): Dialer {
  const { trust, limits, parent = null } = options;
  const sessions = new BoundedMap<string, KeptSession>(FIXED.upstreamTlsSessionsMax);

  const addresses = new WeakMap<Duplex, Address>();

  async function dialTcp(target: DialTarget, { signal }: DialOptions = {}): Promise<Socket> {
    const { socket, address } =
      parent === null || parent.isBypassed(target)
        ? await raceAddresses({ ...target, peer: 'origin' }, limits, signal)
        : await parent.dial(target, signal);
    addresses.set(socket, address);
    options.onConnection?.(socket);
    return socket;
  }

  function tlsKey({ host, clientIdentity }: Pick<Origin, 'host' | 'clientIdentity'>): string {
    const { id } = trust.setFor(host);
    return clientIdentity === null ? id : `${id} ${clientIdentity.id}`;
  }

  return {
    dialTcp,
    tlsKey,
    addressOf: (socket) => addresses.get(socket),
    async dialTls(origin, { alpn, signal }) {
      // Before anything is dialled: a client certificate that cannot be used ends the attempt.
      const secureContext = trust.setFor(origin.host).contextFor(origin.clientIdentity);
      const route = `${origin.organizationId} ${origin.host}:${origin.port}`;
      const sessionKey = `${route} ${tlsKey(origin)} ${alpn.join()}`;
      const socket = await dialTcp(origin, { signal });
      const secured = await secureSocket(socket, {
        host: origin.host,
        alpn,
        trust,
        secureContext,
        timeoutMs: limits.tlsHandshakeTimeoutMs,
        peer: 'origin',
        session: readSession(sessions.get(sessionKey)),
        onSession: (session) => sessions.set(sessionKey, session),
        signal,
      });
      const address = addresses.get(socket);
      if (address !== undefined) addresses.set(secured, address);
      return secured;
    },
  };
}

function readSession(kept: KeptSession | undefined): KeptSession | undefined {
  if (kept === undefined) return undefined;
  const ageMs = systemClock.monotonicMs() - kept.verifiedMs;
  return ageMs < FIXED.upstreamTlsSessionMs ? kept : undefined;
}
