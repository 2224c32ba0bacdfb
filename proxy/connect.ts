/**
 * THE LIFE OF ONE CONNECT: who asks, where to, tunnel or intercept (spec sections 2 to 4). A refusal is
 * answered here where it is known here, with the code as reason phrase; a tunnel is dialled before the
 * 200, so that failures are reported too. A 407 leaves the connection open for the next CONNECT. What
 * changed while a name was resolved or an origin dialled is judged before the 200.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Refusal } from '../src/kernel/errors.ts';
import { mintRequestId } from '../src/kernel/ids.ts';
import { FIXED } from '../src/kernel/limits.ts';
import { decideIntercept } from '../src/policy/decide-intercept.ts';
import type { Snapshot } from '../src/policy/snapshot.ts';
import { parseAuthority } from '../src/wire/host.ts';
import type { Authority } from '../src/wire/host.ts';
import { checkRequestHead } from '../src/wire/request-framing.ts';
import { AdmittedConnection } from './admitted-connection.ts';
import { authenticate, ClientRefusal, currentSnapshot } from './authenticate.ts';
import type { Client } from './authenticate.ts';
import { ConnectionRecord } from './connection-record.ts';
import type { DataPlane } from './data-plane.ts';
import { cutOffAfterEnd } from './http1-connection.ts';
import { intercept } from './interception.ts';
import type { InnerServer } from './inner-server.ts';
import { openTunnel } from './open-tunnel.ts';
import { RESERVED_HOST } from './own-paths.ts';
import { Reach } from './reach.ts';
import type { Reached } from './reach.ts';
import { asRefusal, connectRefusal, ESTABLISHED, rawResponse, refusalResponse } from './respond.ts';
import type { UnknownTokenWatch } from './unknown-token-watch.ts';

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
  readonly connection: AdmittedConnection;
}

/** Where the CONNECT leads under the policy that is current at its 200. */
interface Settled {
  readonly snapshot: Snapshot;
  readonly reached: Reached;
  /** `null`: intercepted, nothing is dialled yet. */
  readonly upstream: Socket | null;
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
    admitted = admit(context, client, target, socket);
    const settled = await settle(context.plane, admitted, socket);
    if (settled.upstream === null) {
      admitted.connection.kind = 'intercepted';
      socket.write(ESTABLISHED);
      const current = { holder: client.holder, snapshot: settled.snapshot };
      await intercept({ ...context, ...admitted, client: current }, socket);
    } else {
      openTunnel({ ...context, ...admitted, ...settled }, socket, settled.upstream);
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

function admit(
  context: ConnectContext,
  client: Client,
  target: Authority,
  socket: Socket,
): Admitted {
  const { plane } = context;
  const record = new ConnectionRecord(plane, client.snapshot, target);
  const refusal = readAdmissionFault(context, client, target);
  if (refusal !== null) {
    record.closeRefused(refusal, null);
    throw refusal;
  }
  // Counted before anything is waited for: a burst of CONNECTs must not pass the limit together.
  const connection = new AdmittedConnection(plane.open, client.holder, target, socket);
  return { client, target, reach: new Reach(plane, target, 'https'), record, connection };
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

/** Judges, and dials what is to be tunnelled, until nothing changed meanwhile (spec section 5.3). */
async function settle(plane: DataPlane, admitted: Admitted, socket: Socket): Promise<Settled> {
  let { snapshot } = admitted.client;
  let isReserved = false;
  for (;;) {
    const reached = await admitted.reach.judge(snapshot);
    const isTunnel = decideIntercept(snapshot, admitted.target, plane.neverIntercept) === 'tunnel';
    if (!isTunnel) plane.leaves.checkAuthority();
    if (isTunnel && !isReserved) {
      // An interception counts by its exchanges.
      plane.meter.admit(snapshot);
      admitted.connection.startRunning();
      if (!plane.trail.reserve(snapshot.sandboxId)) throw new Refusal('audit_unavailable');
    }
    isReserved ||= isTunnel;
    const upstream = isTunnel ? await dial(plane, reached, socket) : null;
    try {
      if (socket.destroyed) throw new Error('the client closed the connection');
      const current = await currentSnapshot(
        plane.feed,
        admitted.client.holder,
        plane.clock.nowMs(),
      );
      if (current === snapshot) {
        // What became an interception meanwhile is described by its exchanges, each with a place of its own.
        if (isReserved && !isTunnel) {
          plane.trail.release(snapshot.sandboxId);
          admitted.connection.stopRunning();
        }
        return { snapshot, reached, upstream };
      }
      snapshot = current;
    } catch (error) {
      upstream?.destroy();
      throw error;
    }
    upstream?.destroy();
  }
}

/** Dial first, then 200 (spec section 4). A client that goes away ends the attempt. */
async function dial(plane: DataPlane, { origin }: Reached, socket: Socket): Promise<Socket> {
  const abort = new AbortController();
  const onClose = (): void => {
    abort.abort(new Error('the client closed the connection'));
  };
  if (socket.destroyed) onClose();
  socket.once('close', onClose);
  try {
    return await plane.dialer.dialTcp(origin, { signal: abort.signal });
  } finally {
    socket.off('close', onClose);
  }
}

function refuseConnect(
  context: ConnectContext,
  request: IncomingMessage,
  socket: Socket,
  admitted: Admitted | null,
  error: unknown,
): void {
  admitted?.connection.release();
  if (admitted !== null && socket.destroyed) {
    const isByPolicy = admitted.connection.isClosedByPolicy;
    admitted.record.close({
      decision: isByPolicy ? 'deny' : 'tunnel',
      verdict: isByPolicy ? 'blocked' : 'failed',
      code: isByPolicy ? 'closed_by_policy' : 'client_aborted',
    });
    return;
  }
  const refusal = asRefusal(error);
  if (refusal.code === 'internal_error') {
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
    cutOffAfterEnd(socket);
  }
}
