/**
 * THE LIFE OF ONE CONNECT: who asks, where to, tunnel or intercept (spec sections 2 to 4). A refusal is
 * answered here where it is known here, with the code as reason phrase; a tunnel is dialled before the
 * 200, so that failures are reported too. A 407 leaves the connection open for the next CONNECT.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Refusal } from '../src/kernel/errors.ts';
import { mintRequestId } from '../src/kernel/ids.ts';
import { FIXED } from '../src/kernel/limits.ts';
import { decideIntercept } from '../src/policy/decide-intercept.ts';
import { readAddress } from '../src/wire/address.ts';
import { parseAuthority } from '../src/wire/host.ts';
import type { Authority } from '../src/wire/host.ts';
import { checkRequestHead } from '../src/wire/request-framing.ts';
import { authenticate, ClientRefusal } from './authenticate.ts';
import type { Client } from './authenticate.ts';
import { ConnectionRecord } from './connection-record.ts';
import type { DataPlane } from './data-plane.ts';
import { intercept } from './interception.ts';
import type { InnerServer } from './inner-server.ts';
import { RESERVED_HOST } from './own-paths.ts';
import { Reach } from './reach.ts';
import type { Reached } from './reach.ts';
import { asRefusal, connectRefusal, rawResponse, refusalResponse } from './respond.ts';
import { joinSockets } from './tunnel.ts';
import type { UnknownTokenWatch } from './unknown-token-watch.ts';

const ESTABLISHED = 'HTTP/1.1 200 Connection Established\r\n\r\n';

export interface ConnectContext {
  readonly plane: DataPlane;
  readonly watch: UnknownTokenWatch;
  readonly inner: InnerServer;
  /** Serves the next request on a connection whose CONNECT was answered with 407. */
  readonly serveAgain: (socket: Socket) => void;
  readonly isDraining: () => boolean;
}

interface Admitted {
  readonly client: Client;
  readonly target: Authority;
  readonly reach: Reach;
  readonly record: ConnectionRecord;
}

/** Serves one CONNECT to its end. Never rejects. */
export async function serveConnect(
  context: ConnectContext,
  request: IncomingMessage,
  socket: Socket,
): Promise<void> {
  let admitted: Admitted | null = null;
  try {
    checkHead(request, context.plane.limits);
    const target = parseTarget(request.url ?? '');
    const peer = socket.remoteAddress ?? '';
    const client = await authenticate(context.plane, context.watch, request.rawHeaders, peer);
    admitted = admit(context, client, target);
    const reached = await admitted.reach.judge(client.snapshot);
    const isIntercepted =
      decideIntercept(client.snapshot, target, context.plane.neverIntercept) === 'intercept';
    if (socket.destroyed) {
      admitted.record.close({ decision: 'deny', verdict: 'failed', code: 'client_aborted' });
    } else if (isIntercepted) {
      socket.write(ESTABLISHED);
      await intercept({ ...context, ...admitted }, socket);
    } else {
      await openTunnel(context.plane, admitted, reached, socket);
    }
  } catch (error) {
    refuseConnect(context, request, socket, admitted, error);
  }
}

/** The head is held to the same rules as any other, and a CONNECT has no body (RFC 9110 9.3.6). */
function checkHead(request: IncomingMessage, limits: DataPlane['limits']): void {
  const { method = '', url: target = '', httpVersion, rawHeaders: fields } = request;
  const framing = checkRequestHead({ method, target, httpVersion, fields }, limits);
  if (framing.bodyKind === 'chunked' || (framing.contentLength ?? 0) > 0) {
    throw new Refusal('bad_request', { message: 'A CONNECT has no body.' });
  }
}

function parseTarget(text: string): Authority {
  if (text.length > FIXED.connectAuthorityBytesMax) {
    throw new Refusal('bad_request', { message: 'The CONNECT authority is too long.' });
  }
  return parseAuthority(text, null);
}

function admit(context: ConnectContext, client: Client, target: Authority): Admitted {
  const { plane } = context;
  const record = new ConnectionRecord(plane, client.snapshot, target);
  const admitted = { client, target, reach: new Reach(plane, target, 'https'), record };
  const refusal = readAdmissionFault(context, client, target);
  if (refusal === null) return admitted;
  record.closeRefused(refusal, null);
  throw refusal;
}

function readAdmissionFault(
  context: ConnectContext,
  client: Client,
  target: Authority,
): Refusal | null {
  if (context.isDraining()) return new Refusal('shutting_down');
  if (!context.plane.open.hasRoom(client.holder.sandboxId)) {
    return new Refusal('too_many_connections');
  }
  if (target.host.text === RESERVED_HOST) {
    return new Refusal('internal_address_denied', {
      message: `${RESERVED_HOST} is this proxy itself: ask it with a plain http request.`,
    });
  }
  return null;
}

/** Dial first, then 200 (spec section 4). */
async function openTunnel(
  plane: DataPlane,
  admitted: Admitted,
  reached: Reached,
  socket: Socket,
): Promise<void> {
  const { client, record, target } = admitted;
  if (!plane.trail.reserve(client.snapshot.sandboxId)) throw new Refusal('audit_unavailable');
  const abort = new AbortController();
  const onClose = (): void => {
    abort.abort(new Error('the client closed the connection'));
  };
  socket.once('close', onClose);
  const { addresses, dialPort } = reached.origin;
  const upstream = await plane.dialer.dialTcp(
    { addresses, port: dialPort },
    { signal: abort.signal },
  );
  socket.off('close', onClose);
  const address = readAddress(upstream.remoteAddress ?? '') ?? addresses[0] ?? null;
  let isClosedByPolicy = false;
  const remove = plane.open.addConnection({
    kind: 'tunnel',
    holder: client.holder,
    target,
    address,
    closeByPolicy: () => {
      isClosedByPolicy = true;
      socket.destroy();
    },
  });
  plane.metrics.connectionOpened('tunnel');
  const readBefore = socket.bytesRead;
  socket.write(ESTABLISHED);
  joinSockets(socket, upstream, plane.limits.tunnelSilenceTimeoutMs, (broken) => {
    remove();
    plane.metrics.connectionClosed('tunnel');
    const brokenCode = broken === 'upstream' ? 'upstream_aborted' : null;
    record.close({
      decision: 'tunnel',
      verdict: 'allowed',
      code: isClosedByPolicy ? 'closed_by_policy' : brokenCode,
      address,
      matchRule: reached.matchRule,
      bytesIn: socket.bytesRead - readBefore,
      bytesOut: upstream.bytesRead,
    });
  });
}

function refuseConnect(
  context: ConnectContext,
  request: IncomingMessage,
  socket: Socket,
  admitted: Admitted | null,
  error: unknown,
): void {
  const refusal = asRefusal(error);
  if (refusal.code === 'internal_error' && !socket.destroyed) {
    context.plane.logger.error({ err: refusal.cause }, 'CONNECT failed inside');
  }
  const record = admitted?.record ?? recordOfUnadmitted(context.plane, request, refusal);
  record?.closeRefused(refusal, admitted?.reach.refusedBy ?? null);
  const requestId = record?.requestId ?? mintRequestId();
  if (error instanceof ClientRefusal && error.delayMs > 0) {
    setTimeout(() => {
      answer(context, request, socket, refusal, requestId);
    }, error.delayMs).unref();
    return;
  }
  answer(context, request, socket, refusal, requestId);
}

/** An expired or paused sandbox is known, though not admitted: its trail shows the attempt. */
function recordOfUnadmitted(
  plane: DataPlane,
  request: IncomingMessage,
  refusal: Refusal,
): ConnectionRecord | null {
  if (!(refusal instanceof ClientRefusal) || refusal.snapshot === null) return null;
  return new ConnectionRecord(plane, refusal.snapshot, parseTarget(request.url ?? ''));
}

function answer(
  context: ConnectContext,
  request: IncomingMessage,
  socket: Socket,
  refusal: Refusal,
  requestId: string,
): void {
  if (socket.destroyed) return;
  const shown = connectRefusal(refusal);
  const response = refusalResponse(
    shown,
    { method: 'CONNECT', fields: request.rawHeaders },
    requestId,
  );
  if (shown.code === 'proxy_auth_required') {
    socket.write(rawResponse(response, 'keep-alive'));
    context.serveAgain(socket);
  } else {
    socket.end(rawResponse(response, 'close'));
    socket.resume();
  }
}
