/**
 * One connection being opened for a pool, and who waits for it: several, where HTTP/2 may let them share
 * it. It dials by the dialer's rules and says which protocol and which of the checked addresses it got (I5).
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Refusal } from '../kernel/errors.ts';
import type { Address } from '../wire/address.ts';
import type { ConnectionWaiter } from './connection-waiter.ts';
import { connectRefusal } from './dial-fault.ts';
import type { Dialer } from './dial.ts';
import type { OriginProtocol } from './origin-protocols.ts';
import type { Origin } from './upstream.ts';

export interface OpenedSocket {
  readonly socket: Socket;
  readonly protocol: OriginProtocol;
  readonly address: Address;
}

export class PoolDial {
  readonly origin: Origin;
  /** The pool key without protocol and address. */
  readonly route: string;
  /** Under which others find it while it runs; `null`: nobody may join. */
  readonly key: string | null;
  readonly offersHttp2: boolean;
  #waiters: ConnectionWaiter[];

  /** `addresses`: those of the waiter's whose pools have room. */
  constructor(
    waiter: ConnectionWaiter,
    addresses: readonly Address[],
    route: string,
    key: string | null,
  ) {
    this.origin = { ...waiter.origin, addresses };
    this.route = route;
    this.key = key;
    this.offersHttp2 = waiter.mayUseHttp2;
    this.#waiters = [waiter];
  }

  join(waiter: ConnectionWaiter): void {
    this.#waiters.push(waiter);
  }

  /** The first who still waits; leaves the line. */
  takeFirst(): ConnectionWaiter | undefined {
    const [first, ...others] = this.takeAll();
    this.#waiters = others;
    return first;
  }

  takeAll(): ConnectionWaiter[] {
    const waiters = this.#waiters.filter((waiter) => !waiter.isCancelled);
    this.#waiters = [];
    return waiters;
  }

  /** Rejects with a Refusal; a socket that is of no use is destroyed. */
  async open(dialer: Dialer, signal: AbortSignal): Promise<OpenedSocket> {
    const socket = await this.#connect(dialer, signal);
    socket.on('error', ignoreError);
    const address = dialer.addressOf(socket);
    if (address === undefined || signal.aborted || socket.destroyed) {
      socket.destroy();
      throw connectRefusal({ code: 'ECONNRESET' });
    }
    return { socket, protocol: readProtocol(socket), address };
  }

  async #connect(dialer: Dialer, signal: AbortSignal): Promise<Socket> {
    const { origin } = this;
    try {
      if (origin.scheme === 'http') return await dialer.dialTcp(origin, { signal });
      const alpn = this.offersHttp2 ? ['h2', 'http/1.1'] : ['http/1.1'];
      return await dialer.dialTls(origin, { alpn, signal });
    } catch (error) {
      throw error instanceof Refusal ? error : connectRefusal(error);
    }
  }
}

/** A route and the addresses that an exchange has checked. */
export function dialKey(route: string, addresses: readonly Address[]): string {
  let key = route;
  for (const address of addresses) key += `${address.text} `;
  return key;
}

function readProtocol(socket: Socket): OriginProtocol {
  return (socket as Partial<TLSSocket>).alpnProtocol === 'h2' ? 'h2' : 'http/1.1';
}

function ignoreError(): void {
  // Every failure reaches the exchange by 'close' or its client; this keeps the process alive.
}
