/**
 * The second listener (spec section 1): the same proxy, over TLS 1.2 or later. It ends TLS and hands the
 * connection to the plain listener's server, so that every limit and every step is the same. A handshake has
 * its time; nothing is read before it is done. ALPN: `http/1.1` (a CONNECT over HTTP/2 is not offered).
 */
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { SecureContext } from 'node:tls';
import type { Limits } from '../src/kernel/limits.ts';
import type { Logger } from '../src/kernel/logger.ts';
import { readAddress } from '../src/wire/address.ts';

/** The certificate for the name a client asks for; without one, for the address it came to. */
export type ContextChoice = (name: string) => SecureContext | Promise<SecureContext>;

export interface TlsListenerOptions {
  readonly contextFor: ContextChoice;
  readonly limits: Pick<Limits, 'tlsHandshakeTimeoutMs' | 'tcpKeepAliveMs'>;
  readonly logger: Logger;
  /** False: there is no room for it, and it was closed. */
  admit(socket: Socket): boolean;
  serve(secured: TLSSocket): void;
}

export function createTlsListener(options: TlsListenerOptions): Server {
  const { limits } = options;
  const server = createServer({
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: limits.tcpKeepAliveMs,
  });
  server.on('connection', (socket) => {
    if (!options.admit(socket)) return;
    secure(options, socket).catch((error: unknown) => {
      options.logger.error({ err: error }, 'the certificate of proxy.tls_listen cannot be used');
      socket.destroy();
    });
  });
  return server;
}

async function secure(options: TlsListenerOptions, socket: Socket): Promise<void> {
  // SNI names no addresses (RFC 6066): whoever sends none has most likely dialled one.
  const address = readAddress(socket.localAddress ?? '')?.text ?? '';
  const secureContext = await options.contextFor(address);
  if (socket.destroyed) return;
  const secured = new TLSSocket(socket, {
    isServer: true,
    secureContext,
    ALPNProtocols: ['http/1.1'],
    SNICallback: (name, done) => {
      void answerName(options.contextFor, name, done);
    },
  });
  const fail = (error: Error): void => {
    clearTimeout(timer);
    options.logger.debug({ err: error }, 'a TLS handshake on proxy.tls_listen failed');
    secured.destroy();
  };
  const onGone = (): void => fail(new Error('the client closed the connection'));
  const timer = setTimeout(
    () => fail(new Error('the handshake took too long')),
    options.limits.tlsHandshakeTimeoutMs,
  );
  // Until it is done Node reports a failed handshake by this event alone, as in `interception.ts`.
  secured.once('_tlsError', fail);
  secured.on('error', fail);
  secured.once('end', onGone);
  secured.once('close', onGone);
  secured.once('secure', () => {
    clearTimeout(timer);
    secured.off('_tlsError', fail).off('end', onGone).off('close', onGone).off('error', fail);
    options.serve(secured);
  });
}

async function answerName(
  contextFor: ContextChoice,
  name: string,
  done: (error: Error | null, context?: SecureContext) => void,
): Promise<void> {
  try {
    done(null, await contextFor(name));
  } catch (error) {
    done(error instanceof Error ? error : new Error('no certificate'));
  }
}
