/**
 * The client's side of TLS on a connected socket: SNI and name check for one host, by one trust set. What
 * it hands out was verified; what it could not verify is destroyed. RFC 6066, RFC 9525.
 */
import { isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { SecureContext, TLSSocket } from 'node:tls';
import { systemClock } from '../kernel/clock.ts';
import { timeoutRefusal, tlsRefusal } from './dial-fault.ts';
import type { Peer } from './dial-fault.ts';
import { watchTlsFault } from './late-tls-fault.ts';
import { abortError } from './race-addresses.ts';
import type { Trust } from './trust.ts';

/**
 * A session belongs to one host and port whose certificate was verified; resuming it skips the
 * certificate, so it is kept for a short time only, counted from that verification.
 */
export interface KeptSession {
  readonly session: Buffer;
  readonly verifiedMs: number;
}

export interface SecureOptions {
  readonly host: string;
  /** Empty: none is offered. */
  readonly alpn: readonly string[];
  readonly trust: Trust;
  readonly secureContext: SecureContext;
  readonly timeoutMs: number;
  /** Whom refusals speak of. */
  readonly peer: Peer;
  readonly session?: KeptSession | undefined;
  readonly onSession?: (session: KeptSession) => void;
  readonly signal: AbortSignal | undefined;
}

/** Resolves when the certificate was verified; else Refusal, and the socket is destroyed. */
export function secureSocket(socket: Socket, options: SecureOptions): Promise<TLSSocket> {
  const { host, alpn, trust, peer, signal } = options;
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
      ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
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
        fail(tlsRefusal(secured.authorizationError, peer));
        return;
      }
      settle();
      watchTlsFault(secured);
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
      if (early !== undefined) options.onSession?.({ session: early, verifiedMs });
      secured.on('session', (session) => options.onSession?.({ session, verifiedMs }));
    };
    secured.on('session', onEarlySession);
    const onError = (error: Error): void => fail(tlsRefusal(error, peer));
    const onClose = (): void => fail(tlsRefusal({ code: 'ECONNRESET' }, peer));
    const onAbort = (): void => fail(signal === undefined ? undefined : abortError(signal));
    const timer = setTimeout(
      () => fail(timeoutRefusal('TLS handshake', { peer })),
      options.timeoutMs,
    );
    const settle = (): void => {
      clearTimeout(timer);
      secured.off('secureConnect', onSecure).off('error', onError).off('close', onClose);
      signal?.removeEventListener('abort', onAbort);
    };
    secured.on('secureConnect', onSecure).on('error', onError).on('close', onClose);
    signal?.addEventListener('abort', onAbort);
  });
}

function ignoreError(): void {
  // The failure is reported already; a socket without a listener would end the process.
}
