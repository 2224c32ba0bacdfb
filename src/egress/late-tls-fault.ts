/**
 * In TLS 1.3 the origin judges our certificate after our side of the handshake is done, and its alert comes
 * when the connection is in use already (RFC 8446 4.4.2.4). The HTTP clients tell of it as a connection that
 * just ended; here what was really said is kept with the socket.
 */
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

const faults = new WeakMap<Duplex, Error>();

/** To be called for a socket whose handshake is done. */
export function watchTlsFault(socket: TLSSocket): void {
  // Emitted before anything is destroyed, unlike `error`, which an earlier end swallows.
  socket.once('_tlsError', (error: Error) => faults.set(socket, error));
}

export function readTlsFault(socket: Duplex): Error | undefined {
  return faults.get(socket);
}
