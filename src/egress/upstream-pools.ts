/**
 * Connections to origins, pooled per organization (or sandbox), scheme, host, port, trust set and the
 * address connected to. An exchange takes an idle connection to the first of its own checked addresses
 * that has one, else opens one, else waits its turn: limits queue, they do not fail. A pool never serves
 * an address that the exchange has not checked itself (I5). All bounds are in `limits.ts` (I7).
 */
import type { Socket } from 'node:net';
import { Refusal } from '../kernel/errors.ts';
import type { Limits } from '../kernel/limits.ts';
import type { Address } from '../wire/address.ts';
import { ConnectionQueue } from './connection-queue.ts';
import { connectRefusal } from './dial-fault.ts';
import type { Dialer } from './dial.ts';
import { createConnection, unwatchIdle, watchIdle } from './origin-connection.ts';
import type { ConnectionKind, ConnectionLimits, OriginConnection } from './origin-connection.ts';
import type { Origin } from './upstream.ts';

export interface PoolsOptions {
  readonly dialer: Dialer;
  readonly limits: ConnectionLimits &
    Pick<Limits, 'upstreamConnectionsPerPoolMax' | 'upstreamConnectionsMax'>;
  readonly scope: 'organization' | 'sandbox';
  readonly onConnectionCount?: ((count: number) => void) | undefined;
}

/** An exchange without a connection yet. */
export interface ConnectionWaiter {
  readonly origin: Origin;
  readonly kind: ConnectionKind;
  /** Retries must not meet another stale connection. */
  readonly isFreshOnly: boolean;
  /** Nobody waits any more. */
  readonly isCancelled: boolean;
  onConnection(connection: OriginConnection): void;
  onRefusal(refusal: Refusal): void;
}

interface Pool {
  readonly key: string;
  /** Established and being opened. */
  openCount: number;
  /** Last in, first out: the rest may time out. */
  readonly idle: OriginConnection[];
}

export class UpstreamPools {
  readonly #options: PoolsOptions;
  readonly #pools = new Map<string, Pool>();
  readonly #connections = new Set<OriginConnection>();
  readonly #queue = new ConnectionQueue();
  readonly #dialing = new AbortController();
  #openCount = 0;
  #isServing = false;

  constructor(options: PoolsOptions) {
    this.#options = options;
  }

  get connections(): number {
    return this.#openCount;
  }

  /** Gives the waiter a connection, at once when one is idle. */
  request(waiter: ConnectionWaiter): void {
    if (this.#dialing.signal.aborted) waiter.onRefusal(new Refusal('shutting_down'));
    else if (!this.#serve(waiter)) this.#enqueue(waiter);
  }

  /** The exchange ended before it got a connection. */
  cancel(waiter: ConnectionWaiter): void {
    this.#queue.remove(waiter);
  }

  /** After an exchange that left the connection usable. */
  release(connection: OriginConnection): void {
    if (connection.isForgotten) return;
    if (connection.isTainted || connection.socket.destroyed) {
      this.discard(connection);
      return;
    }
    connection.isIdle = true;
    if (connection.kind === 'node') watchIdle(connection);
    this.#poolOf(connection.poolKey).idle.push(connection);
    if (this.#queue.size > 0) this.#serveSoon();
  }

  /** Destroys it; its place is free at once. */
  discard(connection: OriginConnection): void {
    this.#forget(connection);
    connection.socket.destroy();
  }

  /** Destroys connections, idle and busy, whose user may not reach them any more. */
  closeWhere(isDenied: (origin: Origin & { readonly address: Address }) => boolean): void {
    for (const connection of this.#connections) {
      const { origin, address } = connection;
      if (!isDenied({ ...origin, address })) continue;
      connection.isDenied = true;
      this.discard(connection);
    }
  }

  close(): void {
    const refusal = new Refusal('shutting_down');
    this.#dialing.abort(refusal);
    for (const waiter of this.#queue.takeAll()) waiter.onRefusal(refusal);
    for (const connection of this.#connections) this.discard(connection);
  }

  #keyPrefix(origin: Origin): string {
    const owner = this.#options.scope === 'sandbox' ? origin.sandboxId : origin.organizationId;
    return `${owner} ${origin.scheme} ${origin.host} ${origin.port} ${origin.dialPort} ${this.#options.dialer.tlsKey(origin)} `;
  }

  #poolOf(key: string): Pool {
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = { key, openCount: 0, idle: [] };
      this.#pools.set(key, pool);
    }
    return pool;
  }

  #takeIdle(waiter: ConnectionWaiter): OriginConnection | undefined {
    const prefix = this.#keyPrefix(waiter.origin);
    for (const address of waiter.origin.addresses) {
      const idle = this.#pools.get(prefix + address.text)?.idle;
      if (idle === undefined) continue;
      for (let i = idle.length - 1; i >= 0; i -= 1) {
        const connection = idle[i];
        if (connection === undefined || connection.kind !== waiter.kind) continue;
        if (connection.socket.destroyed) continue;
        if (i === idle.length - 1) idle.pop();
        else idle.splice(i, 1);
        connection.isIdle = false;
        connection.origin = waiter.origin;
        if (connection.kind === 'node') unwatchIdle(connection);
        return connection;
      }
    }
    return undefined;
  }

  /** False: no room now. */
  #open(waiter: ConnectionWaiter): boolean {
    const { limits } = this.#options;
    const prefix = this.#keyPrefix(waiter.origin);
    const addresses = waiter.origin.addresses.filter((address) => {
      const pool = this.#pools.get(prefix + address.text);
      if (pool === undefined || pool.openCount < limits.upstreamConnectionsPerPoolMax) return true;
      const spare = pool.idle[0];
      if (spare !== undefined) this.discard(spare);
      return spare !== undefined;
    });
    const first = addresses[0];
    if (first === undefined) return false;
    if (this.#openCount >= limits.upstreamConnectionsMax && !this.#evictIdle()) return false;
    void this.#dial(waiter, addresses, prefix, this.#poolOf(prefix + first.text));
    return true;
  }

  async #dial(
    waiter: ConnectionWaiter,
    addresses: readonly Address[],
    prefix: string,
    reserved: Pool,
  ): Promise<void> {
    this.#count(reserved, 1);
    let socket: Socket;
    try {
      socket = await this.#connect({ ...waiter.origin, addresses });
    } catch (error) {
      this.#count(reserved, -1);
      waiter.onRefusal(error instanceof Refusal ? error : connectRefusal(error));
      this.#serveSoon();
      return;
    }
    const address = this.#options.dialer.addressOf(socket);
    const pool = this.#poolOf(prefix + (address?.text ?? ''));
    if (pool !== reserved) {
      this.#count(pool, 1);
      this.#count(reserved, -1);
    }
    if (address === undefined || this.#dialing.signal.aborted) {
      this.#count(pool, -1);
      socket.on('error', ignoreError).destroy();
      waiter.onRefusal(connectRefusal({ code: 'ECONNRESET' }));
      return;
    }
    this.#adopt(waiter, socket, address, pool);
  }

  #connect(origin: Origin): Promise<Socket> {
    const { dialer } = this.#options;
    const { signal } = this.#dialing;
    if (origin.scheme === 'https') return dialer.dialTls(origin, { alpn: ['http/1.1'], signal });
    return dialer.dialTcp(origin, { signal });
  }

  #adopt(waiter: ConnectionWaiter, socket: Socket, address: Address, pool: Pool): void {
    const place = { origin: waiter.origin, address, poolKey: pool.key };
    const connection = createConnection(waiter.kind, socket, place, this.#options.limits);
    this.#connections.add(connection);
    socket.on('error', ignoreError);
    socket.on('close', () => this.#forget(connection));
    if (socket.destroyed) {
      this.#forget(connection);
      waiter.onRefusal(connectRefusal({ code: 'ECONNRESET' }));
    } else if (waiter.isCancelled) {
      // Nothing was sent on it. undici reads from a socket only once it was used, so it cannot be kept.
      this.discard(connection);
    } else {
      waiter.onConnection(connection);
    }
  }

  #forget(connection: OriginConnection): void {
    if (connection.isForgotten) return;
    connection.isForgotten = true;
    this.#connections.delete(connection);
    const pool = this.#poolOf(connection.poolKey);
    const index = connection.isIdle ? pool.idle.indexOf(connection) : -1;
    if (index >= 0) pool.idle.splice(index, 1);
    connection.isIdle = false;
    this.#count(pool, -1);
    if (this.#queue.size > 0) this.#serveSoon();
  }

  #count(pool: Pool, change: 1 | -1): void {
    pool.openCount += change;
    this.#openCount += change;
    if (pool.openCount === 0) this.#pools.delete(pool.key);
    this.#options.onConnectionCount?.(this.#openCount);
  }

  /** Makes room at the overall limit: some pool's oldest idle connection goes. */
  #evictIdle(): boolean {
    for (const pool of this.#pools.values()) {
      const oldest = pool.idle[0];
      if (oldest === undefined) continue;
      this.discard(oldest);
      return true;
    }
    return false;
  }

  #enqueue(waiter: ConnectionWaiter): void {
    const timeoutMs = this.#options.limits.responseHeadTimeoutMs;
    this.#queue.add(this.#keyPrefix(waiter.origin), waiter, timeoutMs, () => {
      waiter.onRefusal(
        new Refusal('upstream_timeout', {
          message: 'No connection to the origin became free in time.',
          auditDetail: 'waited for a pooled connection',
        }),
      );
    });
  }

  /** False: the waiter has to wait on. */
  #serve(waiter: ConnectionWaiter): boolean {
    const connection = waiter.isFreshOnly ? undefined : this.#takeIdle(waiter);
    if (connection === undefined) return this.#open(waiter);
    waiter.onConnection(connection);
    return true;
  }

  /** In a microtask: the caller may be deep inside an HTTP parser. */
  #serveSoon(): void {
    if (this.#isServing) return;
    this.#isServing = true;
    queueMicrotask(() => {
      this.#isServing = false;
      this.#queue.serve((waiter) => this.#serve(waiter));
    });
  }
}

function ignoreError(): void {
  // Every failure reaches the exchange by 'close' or its client; this keeps the process alive.
}
