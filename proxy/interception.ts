/**
 * TLS terminated by us (spec section 4): after the 200 the first byte tells TLS from a plain request from
 * anything else; TLS is ended with a leaf for the CONNECT host, and the requests inside go to one inner
 * HTTP server that never listens. SNI, if sent, must be the CONNECT host.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { SecureContext } from 'node:tls';
import type { AuditCode } from '../src/kernel/errors.ts';
import type { CompiledBinding, Snapshot } from '../src/policy/snapshot.ts';
import { bindingsForHost } from '../src/policy/binding-index.ts';
import { matchesAnyHost } from '../src/policy/host-pattern.ts';
import { parseHost } from '../src/wire/host.ts';
import type { Authority } from '../src/wire/host.ts';
import type { Client } from './authenticate.ts';
import type { ConnectionRecord } from './connection-record.ts';
import type { DataPlane } from './data-plane.ts';
import type { InnerServer } from './inner-server.ts';
import { Reach } from './reach.ts';

const TLS_HANDSHAKE_RECORD = 0x16;
/** A method token is upper-case letters in every request that exists (RFC 9110 9.1). */
const isMethodByte = (byte: number): boolean => byte >= 0x41 && byte <= 0x5a;

/**
 * Node and others judge a certificate only after the handshake and then hang up without an alert. One that
 * hangs up this soon without having asked for anything is taken for one that does not trust our CA.
 */
const LATE_DISTRUST_MS = 2_000;

export interface Interception {
  readonly plane: DataPlane;
  readonly inner: InnerServer;
  readonly client: Client;
  readonly target: Authority;
  readonly reach: Reach;
  readonly record: ConnectionRecord;
}

/** Takes over a client socket to which the 200 was written. Never rejects. */
export async function intercept(interception: Interception, socket: Socket): Promise<void> {
  const { plane, target } = interception;
  plane.metrics.connectionOpened('intercepted');
  socket.once('close', () => {
    plane.metrics.connectionClosed('intercepted');
  });
  try {
    const firstByte = await readFirstByte(socket, plane.limits.tlsHandshakeTimeoutMs);
    if (firstByte === undefined) {
      fail(interception, socket, 'client_aborted', null);
    } else if (firstByte === 'silence') {
      fail(interception, socket, 'not_tls', 'the client waited for the server to speak first');
    } else if (firstByte === TLS_HANDSHAKE_RECORD) {
      await terminateTls(interception, socket);
    } else if (isMethodByte(firstByte) && allowsPlaintext(interception.client.snapshot, target)) {
      const reach = new Reach(plane, target, 'http');
      interception.inner.serve(socket, { ...exchangeContext(interception), scheme: 'http', reach });
    } else {
      fail(interception, socket, 'not_tls', null);
    }
  } catch (error) {
    plane.logger.error({ err: error }, 'interception failed inside');
    fail(interception, socket, 'internal_error', null);
  }
}

async function terminateTls(interception: Interception, socket: Socket): Promise<void> {
  const { plane, target } = interception;
  const pending = plane.leaves.contextFor(target.host);
  const secureContext = pending instanceof Promise ? await pending : pending;
  if (socket.destroyed) {
    fail(interception, socket, 'client_aborted', null);
    return;
  }
  const handshake = startHandshake(socket, secureContext, interception);
  const timer = setTimeout(() => {
    handshake.secure.destroy(new Error('the TLS handshake took too long'));
  }, plane.limits.tlsHandshakeTimeoutMs);
  let isOver = false;
  const onError = (error: Error): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    plane.metrics.handshake('failed');
    const wrongName = handshake.wrongName();
    if (wrongName === null) fail(interception, socket, 'client_tls_failed', error.message);
    else fail(interception, socket, 'sni_mismatch', wrongName);
  };
  const onClose = (): void => {
    onError(new Error('the client closed the connection during the TLS handshake'));
  };
  // Until the handshake is done Node reports the client's alert only here: it neither emits `error` nor
  // closes (its own TLS server listens to the same event).
  handshake.secure.once('_tlsError', onError);
  handshake.secure.on('error', onError);
  handshake.secure.once('close', onClose);
  // Half-open as it is, it would not close by itself when the client only hangs up.
  handshake.secure.once('end', onClose);
  handshake.secure.once('secure', () => {
    isOver = true;
    clearTimeout(timer);
    handshake.secure.off('close', onClose);
    handshake.secure.off('end', onClose);
    handshake.secure.once('end', () => {
      if (isReset(handshake.secure)) handshake.secure.destroy();
    });
    plane.metrics.handshake('ok');
    const served = interception.inner.serve(handshake.secure, exchangeContext(interception));
    const securedMs = plane.clock.monotonicMs();
    handshake.secure.once('close', () => {
      if (served.isUsed || plane.clock.monotonicMs() - securedMs > LATE_DISTRUST_MS) return;
      fail(
        interception,
        socket,
        'client_tls_failed',
        'closed after the handshake without a request',
      );
    });
  });
}

const HTTP1_ONLY = ['http/1.1'];
const HTTP2_OR_1 = ['h2', 'http/1.1'];

function startHandshake(
  socket: Socket,
  secureContext: SecureContext,
  { plane, target }: Interception,
) {
  let wrongName: string | null = null;
  const secure = new TLSSocket(socket, {
    isServer: true,
    secureContext,
    ALPNProtocols: matchesAnyHost(plane.http1Only, target.host) ? HTTP1_ONLY : HTTP2_OR_1,
    SNICallback: (name, done) => {
      if (namesTarget(name, target)) {
        done(null, secureContext);
        return;
      }
      wrongName = name;
      done(new Error('the SNI is not the CONNECT host'));
    },
  });
  return { secure, wrongName: () => wrongName };
}

/**
 * A reset that overtakes our session tickets is told to the write of those, which nobody awaits; the stream
 * itself just ends, as if half-closed, and no later write ever completes. Only the kernel knows: a socket
 * that was reset has no peer. Nobody may ask for `remoteAddress` before, Node remembers the answer.
 */
function isReset(secure: TLSSocket): boolean {
  return secure.remoteAddress === undefined;
}

/** After canonicalization; RFC 6066 forbids address literals in SNI, so one never equals a name. */
function namesTarget(name: string, target: Authority): boolean {
  try {
    return parseHost(name).text === target.host.text;
  } catch {
    return false;
  }
}

function exchangeContext(interception: Interception) {
  return {
    plane: interception.plane,
    holder: interception.client.holder,
    organizationId: interception.client.snapshot.organizationId,
    target: interception.target,
    scheme: 'https' as const,
    isIntercepted: true,
    reach: interception.reach,
  };
}

function fail(
  interception: Interception,
  socket: Socket,
  code: AuditCode,
  detail: string | null,
): void {
  interception.record.close({ decision: 'intercept', verdict: 'failed', code, detail });
  socket.destroy();
}

/** A secret of this sandbox may travel in clear to this host and port. */
function allowsPlaintext(snapshot: Snapshot, target: Authority): boolean {
  const isMeant = (binding: CompiledBinding): boolean =>
    binding.allowPlaintext && binding.ports.includes(target.port);
  return bindingsForHost(snapshot.index, target.host).some(isMeant);
}

/** The first byte, left in the stream; `undefined` when the client closed, `silence` when it sent nothing. */
function readFirstByte(socket: Socket, timeoutMs: number): Promise<number | 'silence' | undefined> {
  return new Promise((resolve) => {
    const finish = (byte: number | 'silence' | undefined): void => {
      clearTimeout(timer);
      socket.off('readable', onReadable);
      socket.off('end', onEnd);
      socket.off('close', onEnd);
      resolve(byte);
    };
    const onEnd = (): void => {
      finish(undefined);
    };
    const onReadable = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null || chunk.length === 0) return;
      socket.unshift(chunk);
      finish(chunk[0]);
    };
    const timer = setTimeout(() => {
      finish('silence');
    }, timeoutMs);
    socket.on('readable', onReadable);
    socket.on('end', onEnd);
    socket.on('close', onEnd);
    onReadable();
  });
}
