/**
 * Connections to origins, pooled per organization (or sandbox), scheme, host, port, trust set, client
 * certificate, protocol and the address connected to. An exchange takes a free connection to the first of
 * its own checked addresses that has one, else opens one, else waits its turn: limits queue, they do not
 * fail. A pool never serves an address that the exchange has not checked itself (I5). All bounds are in
 * `limits.ts` (I7).
 */
import type { Socket } from 'node:net';
import { Refusal } from '../kernel/errors.ts';
import type { Limits } from '../kernel/limits.ts';
import type { Address } from '../wire/address.ts';
import { ConnectionQueue } from './connection-queue.ts';
import type { ConnectionWaiter } from './connection-waiter.ts';
import { connectRefusal } from './dial-fault.ts';
import type { Dialer } from './dial.ts';
import { Http2Connection } from './http2-connection.ts';
import type { Http2Limits } from './http2-connection.ts';
import { createConnection, unwatchIdle, watchIdle } from './origin-connection.ts';
import type { ConnectionLimits, OriginConnection, SerialConnection } from './origin-connection.ts';
import { OriginProtocols } from './origin-protocols.ts';
import { dialKey, PoolDial } from './pool-dial.ts';
import type { OpenedSocket } from './pool-dial.ts';
import { Pool } from './pool.ts';
import type { Origin } from './upstream.ts';

export interface PoolsOptions {
  readonly dialer: Dialer;
  readonly limits: ConnectionLimits &
    Http2Limits &
    Pick<Limits, 'upstreamConnectionsPerPoolMax' | 'upstreamConnectionsMax'>;
  readonly scope: 'organization' | 'sandbox';
  readonly onConnectionCount?: ((count: number) => void) | undefined;
}

export class UpstreamPools {
  readonly #options: PoolsOptions;
  readonly #pools = new Map<string, Pool>();
  readonly #connections = new Set<OriginConnection>();
  readonly #queue = new ConnectionQueue();
  readonly #protocols = new OriginProtocols();
  /** Those whose result may be shared, by route and addresses. */
  readonly #dials = new Map<string, PoolDial>();
  readonly #dialing = new AbortController();
  #openCount = 0;
  #serial = 0;
  #isServing = false;

  constructor(options: PoolsOptions) {
    this.#options = options;
  }

  get connections(): number {
    return this.#openCount;
  }

  /** Gives the waiter a connection, at once when one is free. */
  request(waiter: ConnectionWaiter): void {
    if (this.#dialing.signal.aborted) waiter.onRefusal(new Refusal('shutting_down'));
    else if (!this.#serve(waiter)) this.#enqueue(waiter);
  }

  /** The exchange ended before it got a connection. */
  cancel(waiter: ConnectionWaiter): void {
    this.#queue.remove(waiter);
  }

  /** After an exchange that left the connection usable. */
  release(connection: SerialConnection): void {
    if (connection.isForgotten) return;
    if (connection.isTainted || connection.socket.destroyed) {
      this.discard(connection);
      return;
    }
    connection.isIdle = true;
    if (connection.kind === 'node') watchIdle(connection);
    this.#poolOf(connection.poolKey).addIdle(connection);
    if (this.#queue.size > 0) this.#serveSoon();
  }

  /** Destroys it; its place is free at once. */
  discard(connection: OriginConnection): void {
    this.#forget(connection);
    if (connection.kind === 'http2') connection.destroy();
    else connection.socket.destroy();
  }

  /** Destroys connections, idle and busy, whose user may not reach them any more. */
  closeWhere(isDenied: (origin: Origin & { readonly address: Address }) => boolean): void {
    for (const connection of this.#connections) {
      const { origin, address } = connection;
      if (connection.kind === 'http2') {
        connection.closeWhere((user) => isDenied({ ...user, address }));
        if (!connection.isIdle) continue;
      }
      if (!isDenied({ ...origin, address })) continue;
      connection.isDenied = true;
      this.discard(connection);
    }
  }

  /** Idle ones are closed; busy ones finish what is on them and take nothing more. */
  retireWhere(isOver: (origin: Origin) => boolean): void {
    for (const connection of this.#connections) {
      if (!isOver(connection.origin)) continue;
      if (connection.isIdle) this.discard(connection);
      else if (connection.kind === 'http2') connection.retire();
      else connection.isTainted = true;
    }
  }

  close(): void {
    const refusal = new Refusal('shutting_down');
    this.#dialing.abort(refusal);
    for (const waiter of this.#queue.takeAll()) waiter.onRefusal(refusal);
    for (const connection of this.#connections) this.discard(connection);
  }

  /** The pool key without protocol and address. */
  #routeTo(origin: Origin): string {
    const owner = this.#options.scope === 'sandbox' ? origin.sandboxId : origin.organizationId;
    return `${owner} ${origin.scheme} ${origin.host} ${origin.port} ${origin.dialPort} ${this.#options.dialer.tlsKey(origin)} `;
  }

  #poolOf(key: string): Pool {
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = new Pool(key);
      this.#pools.set(key, pool);
    }
    return pool;
  }

  /** False: the waiter has to wait on. */
  #serve(waiter: ConnectionWaiter): boolean {
    const route = this.#routeTo(waiter.origin);
    if (waiter.mayUseHttp2 && this.#protocols.read(route) !== 'http/1.1') {
      return this.#serveShared(waiter, route);
    }
    const connection = waiter.newerThan === 0 ? this.#takeIdle(waiter, route) : undefined;
    if (connection === undefined) return this.#open(waiter, route, '');
    waiter.onConnection(connection);
    return true;
  }

  #takeIdle(waiter: ConnectionWaiter, route: string): SerialConnection | undefined {
    for (const address of waiter.origin.addresses) {
      const connection = this.#pools.get(route + address.text)?.takeIdle(waiter.kind);
      if (connection === undefined) continue;
      connection.isIdle = false;
      connection.origin = waiter.origin;
      if (connection.kind === 'node') unwatchIdle(connection);
      return connection;
    }
    return undefined;
  }

  #serveShared(waiter: ConnectionWaiter, route: string): boolean {
    if (this.#giveStream(waiter, route, false)) return true;
    const running = this.#dials.get(dialKey(route, waiter.origin.addresses));
    if (running === undefined) {
      return this.#open(waiter, route, HTTP2) || this.#giveStream(waiter, route, true);
    }
    running.join(waiter);
    return true;
  }

  #giveStream(waiter: ConnectionWaiter, route: string, mayBeSilent: boolean): boolean {
    const { addresses, sandboxId } = waiter.origin;
    for (const address of addresses) {
      const pool = this.#pools.get(route + address.text + HTTP2);
      const connection = pool?.readShared(sandboxId, waiter.newerThan, mayBeSilent);
      if (connection === undefined) continue;
      waiter.onConnection(connection);
      return true;
    }
    return false;
  }

  /** False: no room now. `suffix`: of the pools that are counted on. */
  #open(waiter: ConnectionWaiter, route: string, suffix: string): boolean {
    const { limits } = this.#options;
    const addresses = waiter.origin.addresses.filter((address) => {
      const pool = this.#pools.get(route + address.text + suffix);
      if (pool === undefined || pool.openCount < limits.upstreamConnectionsPerPoolMax) return true;
      const { spare } = pool;
      if (spare !== undefined) this.discard(spare);
      return spare !== undefined;
    });
    const first = addresses[0];
    if (first === undefined) return false;
    if (this.#openCount >= limits.upstreamConnectionsMax && !this.#evictIdle()) return false;
    const key = suffix === HTTP2 ? dialKey(route, waiter.origin.addresses) : null;
    const dial = new PoolDial(waiter, addresses, route, key);
    if (key !== null) this.#dials.set(key, dial);
    void this.#dial(dial, this.#poolOf(route + first.text + suffix));
    return true;
  }

  async #dial(dial: PoolDial, reserved: Pool): Promise<void> {
    this.#count(reserved, 1);
    let opened: OpenedSocket;
    try {
      opened = await dial.open(this.#options.dialer, this.#dialing.signal);
    } catch (error) {
      this.#count(reserved, -1);
      this.#endDial(dial, error instanceof Refusal ? error : connectRefusal(error));
      return;
    }
    const { socket, protocol, address } = opened;
    if (dial.offersHttp2) this.#protocols.remember(dial.route, protocol);
    const pool = this.#poolOf(dial.route + address.text + (protocol === 'h2' ? HTTP2 : ''));
    if (pool !== reserved) {
      this.#count(pool, 1);
      this.#count(reserved, -1);
    }
    const place = { origin: dial.origin, address, poolKey: pool.key, serial: ++this.#serial };
    let isAlive = true;
    if (protocol === 'h2') isAlive = await this.#share(this.#openHttp2(socket, place), pool, dial);
    else this.#adopt(socket, place, dial);
    this.#endDial(dial, isAlive ? null : connectRefusal({ code: 'ECONNRESET' }));
  }

  /** Who was not served asks again, or is refused. */
  #endDial(dial: PoolDial, refusal: Refusal | null): void {
    if (dial.key !== null) this.#dials.delete(dial.key);
    for (const waiter of dial.takeAll()) {
      if (refusal === null) this.request(waiter);
      else waiter.onRefusal(refusal);
    }
    if (refusal !== null) this.#serveSoon();
  }

  /** HTTP/1.1: the first who still waits gets it. */
  #adopt(socket: Socket, place: Parameters<typeof createConnection>[2], dial: PoolDial): void {
    const first = dial.takeFirst();
    const connection = createConnection(
      first?.kind ?? 'undici',
      socket,
      { ...place, origin: first?.origin ?? place.origin },
      this.#options.limits,
    );
    this.#keep(connection);
    // Nothing was sent on it. undici reads from a socket only once it was used, so it cannot be kept.
    if (first === undefined) this.discard(connection);
    else first.onConnection(connection);
  }

  #openHttp2(
    socket: Socket,
    place: ConstructorParameters<typeof Http2Connection>[1],
  ): Http2Connection {
    const { limits, scope } = this.#options;
    return new Http2Connection(socket, place, limits, scope === 'organization', {
      onRoom: () => {
        if (this.#queue.size > 0) this.#serveSoon();
      },
      onSpent: (connection) => {
        this.discard(connection);
      },
    });
  }

  /** The first gets a stream at once; how many others do is known when the origin's SETTINGS are. */
  async #share(connection: Http2Connection, pool: Pool, dial: PoolDial): Promise<boolean> {
    this.#keep(connection);
    pool.addShared(connection);
    dial.takeFirst()?.onConnection(connection);
    return connection.settled;
  }

  #keep(connection: OriginConnection): void {
    this.#connections.add(connection);
    connection.socket.on('close', () => this.#forget(connection));
  }

  #forget(connection: OriginConnection): void {
    if (connection.isForgotten) return;
    connection.isForgotten = true;
    this.#connections.delete(connection);
    const pool = this.#poolOf(connection.poolKey);
    pool.remove(connection);
    if (connection.kind !== 'http2') connection.isIdle = false;
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
      const { spare } = pool;
      if (spare === undefined) continue;
      this.discard(spare);
      return true;
    }
    return false;
  }

  #enqueue(waiter: ConnectionWaiter): void {
    const timeoutMs = this.#options.limits.responseHeadTimeoutMs;
    // Who has used up a sandbox's share of the streams must not hold up the other sandboxes.
    const line = this.#routeTo(waiter.origin) + (waiter.mayUseHttp2 ? waiter.origin.sandboxId : '');
    this.#queue.add(line, waiter, timeoutMs, () => {
      waiter.onRefusal(
        new Refusal('upstream_timeout', {
          message: 'No connection to the origin became free in time.',
          auditDetail: 'waited for a pooled connection',
        }),
      );
    });
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

/** Ends the keys of pools whose connections speak it. */
const HTTP2 = ' h2';
