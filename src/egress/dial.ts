/**
 * The one way out: every connection to an origin, for HTTP/1, WebSocket and tunnels, is opened here. It
 * dials exactly the addresses it is given, which somebody has checked (I5), races them after RFC 8305,
 * and verifies certificates for the origin's host. It never resolves a name and never decides.
 */
import { connect as connectTcp, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { SecureContext, TLSSocket } from 'node:tls';
import type { Duplex } from 'node:stream';
import { BoundedMap } from '../kernel/bounded-map.ts';
import { systemClock } from '../kernel/clock.ts';
import { Refusal } from '../kernel/errors.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Limits } from '../kernel/limits.ts';
import type { Address } from '../wire/address.ts';
import { connectRefusal, timeoutRefusal, tlsRefusal } from './dial-fault.ts';
import type { Trust } from './trust.ts';
import type { Origin } from './upstream.ts';

interface DialOptions {
  /** Aborting rejects with the signal's reason and destroys what was being opened. */
  readonly signal?: AbortSignal | undefined;
}

/** Where to, by checked addresses. */
export type DialTarget = Pick<Origin, 'host' | 'port' | 'addresses' | 'dialPort'>;

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
  /** Every established TCP connection, for metrics. */
  readonly onConnection?: (socket: Socket) => void;
}

export function createDialer(options: DialerOptions): Dialer {
  const { trust, limits } = options;
  const sessions = new BoundedMap<string, KeptSession>(FIXED.upstreamTlsSessionsMax);

  const addresses = new WeakMap<Duplex, Address>();

  async function dialTcp(target: DialTarget, { signal }: DialOptions = {}): Promise<Socket> {
    const socket = await raceAddresses(target.addresses, target.dialPort, limits, signal);
    const address = target.addresses.find((one) => isSameAddress(socket.remoteAddress, one));
    if (address !== undefined) addresses.set(socket, address);
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
        session: readSession(sessions.get(sessionKey)),
        onSession: (session, verifiedMs) => sessions.set(sessionKey, { session, verifiedMs }),
        signal,
      });
      const address = addresses.get(socket);
      if (address !== undefined) addresses.set(secured, address);
      return secured;
    },
  };
}

/**
 * A session belongs to one host and port whose certificate was verified; resuming it skips the
 * certificate, so it is kept for a short time only, counted from that verification.
 */
interface KeptSession {
  readonly session: Buffer;
  readonly verifiedMs: number;
}

function readSession(kept: KeptSession | undefined): KeptSession | undefined {
  if (kept === undefined) return undefined;
  const ageMs = systemClock.monotonicMs() - kept.verifiedMs;
  return ageMs < FIXED.upstreamTlsSessionMs ? kept : undefined;
}

interface SecureOptions {
  readonly host: string;
  readonly alpn: readonly string[];
  readonly trust: Trust;
  readonly secureContext: SecureContext;
  readonly timeoutMs: number;
  readonly session: KeptSession | undefined;
  readonly onSession: (session: Buffer, verifiedMs: number) => void;
  readonly signal: AbortSignal | undefined;
}

function secureSocket(socket: Socket, options: SecureOptions): Promise<TLSSocket> {
  const { host, trust, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      socket.destroy();
      reject(abortError(signal));
      return;
    }
    const secured = connectTls({
      socket,
      // SNI names hosts only (RFC 6066); for a literal `host` is what the certificate is checked for.
      ...(isIP(host) === 0 ? { servername: host } : { host }),
      secureContext: options.secureContext,
      ALPNProtocols: [...options.alpn],
      checkServerIdentity: (_, certificate) => trust.checkIdentity(host, certificate),
      ...(options.session === undefined ? {} : { session: options.session.session }),
    });
    const fail = (error: unknown): void => {
      settle();
      secured.on('error', ignoreError);
      secured.destroy();
      reject(error instanceof Error ? error : new Error('aborted'));
    };
    const onSecure = (): void => {
      if (!secured.authorized) {
        fail(tlsRefusal(secured.authorizationError));
        return;
      }
      settle();
      const verifiedMs = secured.isSessionReused() ? options.session?.verifiedMs : undefined;
      keepSessions(verifiedMs ?? systemClock.monotonicMs());
      resolve(secured);
    };
    let early: Buffer | undefined;
    // TLS 1.2 hands its session over before it is verified, TLS 1.3 after.
    const onEarlySession = (session: Buffer): void => {
      early = session;
    };
    const keepSessions = (verifiedMs: number): void => {
      secured.off('session', onEarlySession);
      if (early !== undefined) options.onSession(early, verifiedMs);
      secured.on('session', (session) => options.onSession(session, verifiedMs));
    };
    secured.on('session', onEarlySession);
    const onError = (error: Error): void => fail(tlsRefusal(error));
    const onClose = (): void => fail(tlsRefusal({ code: 'ECONNRESET' }));
    const onAbort = (): void => fail(signal === undefined ? undefined : abortError(signal));
    const timer = setTimeout(() => fail(timeoutRefusal('TLS handshake')), options.timeoutMs);
    const settle = (): void => {
      clearTimeout(timer);
      secured.off('secureConnect', onSecure).off('error', onError).off('close', onClose);
      signal?.removeEventListener('abort', onAbort);
    };
    secured.on('secureConnect', onSecure).on('error', onError).on('close', onClose);
    signal?.addEventListener('abort', onAbort);
  });
}

/**
 * Happy Eyeballs over a fixed list: a new attempt every 250 ms, or at once when one fails; the first
 * that connects wins, the rest are destroyed. Node's own `autoSelectFamily` is not used: it gives up an
 * attempt after its delay, so an origin slower than that is never reached.
 */
function raceAddresses(
  addresses: readonly Address[],
  port: number,
  limits: DialerOptions['limits'],
  signal: AbortSignal | undefined,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const order = interleaveFamilies(addresses);
    const attempts = new Set<Socket>();
    let next = 0;
    let delay: NodeJS.Timeout | undefined;
    let lastError: unknown;

    const finish = (winner: Socket | undefined, error?: unknown): void => {
      clearTimeout(delay);
      clearTimeout(deadline);
      signal?.removeEventListener('abort', onAbort);
      for (const attempt of attempts) if (attempt !== winner) attempt.destroy();
      attempts.clear();
      if (winner !== undefined) resolve(winner);
      else reject(error instanceof Error ? error : connectRefusal(error));
    };
    const onAbort = (): void => finish(undefined, abortError(signal));
    const startNext = (): void => {
      clearTimeout(delay);
      const address = order[next++];
      if (address === undefined) {
        if (attempts.size === 0) finish(undefined, connectRefusal(lastError));
        return;
      }
      if (next < order.length) delay = setTimeout(startNext, FIXED.connectAttemptDelayMs);
      const socket = openSocket(address, port, limits.tcpKeepAliveMs);
      attempts.add(socket);
      const lose = (error: unknown): void => {
        if (!attempts.delete(socket)) return;
        lastError = error;
        socket.destroy();
        startNext();
      };
      socket.on('error', lose);
      socket.once('connect', () => {
        if (!isSameAddress(socket.remoteAddress, address)) {
          lose(new Error('connected to another address than the one checked'));
          return;
        }
        socket.off('error', lose);
        finish(socket);
      });
    };
    const deadline = setTimeout(
      () => finish(undefined, timeoutRefusal('connect')),
      limits.connectTimeoutMs,
    );
    if (signal?.aborted) {
      onAbort();
      return;
    }
    signal?.addEventListener('abort', onAbort);
    startNext();
  });
}

function openSocket(address: Address, port: number, keepAliveMs: number): Socket {
  return connectTcp({
    host: address.text,
    port,
    family: address.family,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveMs,
    allowHalfOpen: true,
  });
}

/** RFC 8305 section 4: alternate the families, beginning with the preferred one. */
function interleaveFamilies(addresses: readonly Address[]): readonly Address[] {
  const first = addresses[0];
  if (first === undefined || addresses.length < 2) return addresses;
  const same = addresses.filter((address) => address.family === first.family);
  const other = addresses.filter((address) => address.family !== first.family);
  const order: Address[] = [];
  for (let i = 0; i < Math.max(same.length, other.length); i += 1) {
    for (const address of [same[i], other[i]]) if (address !== undefined) order.push(address);
  }
  return order;
}

/** I5. `undefined` (already gone) does not count as the same. */
function isSameAddress(remote: string | undefined, address: Address): boolean {
  return remote === address.text || remote === `::ffff:${address.text}`;
}

function abortError(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Refusal('upstream_unreachable');
}

function ignoreError(): void {
  // The failure is reported already; a socket without a listener would end the process.
}
