/**
 * The HTTP/2 connections inside interceptions, all of them: hands each its socket and context, holds them
 * to the limits of time, and drains them. It never listens.
 */
import type { TLSSocket } from 'node:tls';
import { constants } from 'node:http2';
import type { Limits } from '../src/kernel/limits.ts';
import type { ExchangeContext } from './exchange-context.ts';
import { Http2Connection } from './http2-connection.ts';

const SWEEP_MIN_MS = 100;
const SWEEP_MAX_MS = 1_000;

export class InnerHttp2 {
  readonly #connections = new Set<Http2Connection>();
  readonly #sweepMs: number;
  #sweeper: NodeJS.Timeout | null = null;

  constructor(limits: Pick<Limits, 'headTimeoutMs' | 'idleTimeoutMs'>) {
    const shortestMs = Math.min(limits.headTimeoutMs, limits.idleTimeoutMs);
    this.#sweepMs = Math.max(SWEEP_MIN_MS, Math.min(SWEEP_MAX_MS, shortestMs / 4));
  }

  /** Serves what comes on this socket; its handshake is complete and chose `h2`. */
  serve(socket: TLSSocket, context: ExchangeContext): Http2Connection {
    const connection = new Http2Connection(socket, context);
    this.#connections.add(connection);
    socket.once('close', () => this.#connections.delete(connection));
    const { clock } = context.plane;
    this.#sweeper ??= setInterval(() => {
      this.#sweep(clock.monotonicMs());
    }, this.#sweepMs).unref();
    return connection;
  }

  /** No new streams; connections without one end now. */
  drain(): void {
    for (const connection of this.#connections) connection.onLast();
  }

  close(): void {
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    for (const connection of this.#connections) connection.end(constants.NGHTTP2_NO_ERROR);
  }

  #sweep(nowMs: number): void {
    for (const connection of this.#connections) connection.sweep(nowMs);
  }
}
