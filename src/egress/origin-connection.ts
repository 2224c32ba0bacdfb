/**
 * One verified connection to an origin and what its pool knows about it. Two kinds speak HTTP/1.1, because
 * a socket belongs to the HTTP client that reads it: `undici` for ordinary exchanges, `node` for what
 * undici cannot carry; these serve one exchange at a time, nothing is pipelined. The third is HTTP/2.
 */
import type { Agent } from 'node:http';
import type { Socket } from 'node:net';
import { Client } from 'undici';
import type { Limits } from '../kernel/limits.ts';
import type { Address } from '../wire/address.ts';
import type { Http2Connection } from './http2-connection.ts';
import { SocketAgent } from './socket-agent.ts';
import type { Origin } from './upstream.ts';

/** Of a connection that speaks HTTP/1.1. */
export type ConnectionKind = 'undici' | 'node';

export type ConnectionLimits = Pick<
  Limits,
  'headBytesMax' | 'responseHeadTimeoutMs' | 'bodySilenceTimeoutMs' | 'upstreamIdleTimeoutMs'
>;

/** RFC 9112 9.3: the origin closes at its timeout, we go first. */
export const KEEP_ALIVE_MARGIN_MS = 1_000;

interface ConnectionBase {
  readonly socket: Socket;
  readonly address: Address;
  readonly poolKey: string;
  /** In the order in which connections were opened. */
  readonly serial: number;
  /** Of the exchange that uses it, or used it last. */
  origin: Origin;
  /** It saw NTLM or Negotiate, which authenticate connections instead of requests. */
  isTainted: boolean;
  isIdle: boolean;
  isForgotten: boolean;
  /** A policy change took it away: not to be replaced by a retry. */
  isDenied: boolean;
}

export interface UndiciConnection extends ConnectionBase {
  readonly kind: 'undici';
  readonly client: Client;
}

export interface NodeConnection extends ConnectionBase {
  readonly kind: 'node';
  readonly agent: Agent;
  /** How long it may stay idle; from the origin's `Keep-Alive`. */
  idleTimeoutMs: number;
  /** The origin closed it, sent something unasked, or its time is over. */
  readonly onIdleEvent: () => void;
}

/** One exchange after another. */
export type SerialConnection = UndiciConnection | NodeConnection;

export type OriginConnection = SerialConnection | Http2Connection;

/** The undici client was asked for a second socket: the first one ended before anything was written. */
class ConnectionGone extends Error {
  override readonly name = 'ConnectionGone';
}

export function createConnection(
  kind: ConnectionKind,
  socket: Socket,
  place: Pick<ConnectionBase, 'origin' | 'address' | 'poolKey' | 'serial'>,
  limits: ConnectionLimits,
): SerialConnection {
  const base: ConnectionBase = {
    socket,
    ...place,
    isTainted: false,
    isIdle: false,
    isForgotten: false,
    isDenied: false,
  };
  if (kind === 'node') {
    const idleTimeoutMs = limits.upstreamIdleTimeoutMs;
    const onIdleEvent = (): void => void socket.destroy();
    return { ...base, kind, agent: new SocketAgent(socket), idleTimeoutMs, onIdleEvent };
  }
  return { ...base, kind, client: openClient(socket, limits) };
}

/** undici watches its own idle sockets; those of `node:http` are watched here. */
export function watchIdle({ socket, onIdleEvent, idleTimeoutMs }: NodeConnection): void {
  socket.once('end', onIdleEvent).once('data', onIdleEvent).once('timeout', onIdleEvent);
  socket.setTimeout(idleTimeoutMs);
  socket.unref();
}

export function unwatchIdle({ socket, onIdleEvent }: NodeConnection): void {
  socket.off('end', onIdleEvent).off('data', onIdleEvent).off('timeout', onIdleEvent);
  socket.setTimeout(0);
  socket.ref();
}

/** Scheme and authority mean nothing to a client that is handed its socket and every `Host`. */
const CLIENT_URL = new URL('http://origin.invalid');

function openClient(socket: Socket, limits: ConnectionLimits): Client {
  let isTaken = false;
  return new Client(CLIENT_URL, {
    pipelining: 1,
    allowH2: false,
    maxHeaderSize: limits.headBytesMax,
    headersTimeout: limits.responseHeadTimeoutMs,
    bodyTimeout: limits.bodySilenceTimeoutMs,
    keepAliveTimeout: limits.upstreamIdleTimeoutMs,
    keepAliveTimeoutThreshold: KEEP_ALIVE_MARGIN_MS,
    strictContentLength: true,
    connect: (_, callback) => {
      const isFirst = !isTaken;
      isTaken = true;
      // undici does not look again when its connector answers within the call.
      queueMicrotask(() => {
        if (isFirst && !socket.destroyed) callback(null, socket);
        else callback(new ConnectionGone('the connection ended'), null);
      });
    },
  });
}
