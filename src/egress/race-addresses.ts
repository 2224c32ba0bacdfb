/**
 * Opens one TCP connection to one of several checked addresses (RFC 8305), and proves that it is that
 * address (I5). Resolves nothing, decides nothing; everything it opened and did not hand out is destroyed.
 */
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { Refusal } from '../kernel/errors.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Limits } from '../kernel/limits.ts';
import type { Address } from '../wire/address.ts';
import { connectRefusal, timeoutRefusal } from './dial-fault.ts';
import type { Peer } from './dial-fault.ts';

export interface RaceTarget {
  readonly addresses: readonly Address[];
  readonly dialPort: number;
  /** Whom refusals speak of. */
  readonly peer: Peer;
}

export type RaceLimits = Pick<Limits, 'connectTimeoutMs' | 'tcpKeepAliveMs'>;

export interface RacedSocket {
  readonly socket: Socket;
  /** The one of the list it is connected to. */
  readonly address: Address;
}

/**
 * Happy Eyeballs over a fixed list: a new attempt every 250 ms, or at once when one fails; the first
 * that connects wins, the rest are destroyed. Node's own `autoSelectFamily` is not used: it gives up an
 * attempt after its delay, so an origin slower than that is never reached.
 */
export function raceAddresses(
  { addresses, dialPort: port, peer }: RaceTarget,
  limits: RaceLimits,
  signal: AbortSignal | undefined,
): Promise<RacedSocket> {
  return new Promise((resolve, reject) => {
    const order = interleaveFamilies(addresses);
    const attempts = new Set<Socket>();
    let next = 0;
    let delay: NodeJS.Timeout | undefined;
    let lastError: unknown;

    const finish = (winner: RacedSocket | undefined, error?: unknown): void => {
      clearTimeout(delay);
      clearTimeout(deadline);
      signal?.removeEventListener('abort', onAbort);
      for (const attempt of attempts) if (attempt !== winner?.socket) attempt.destroy();
      attempts.clear();
      if (winner !== undefined) resolve(winner);
      else reject(error instanceof Error ? error : connectRefusal(error, peer));
    };
    const onAbort = (): void => finish(undefined, abortError(signal));
    const startNext = (): void => {
      clearTimeout(delay);
      const address = order[next++];
      if (address === undefined) {
        if (attempts.size === 0) finish(undefined, connectRefusal(lastError, peer));
        return;
      }
      if (next < order.length) delay = setTimeout(startNext, FIXED.connectAttemptDelayMs);
      const socket = openSocket(address, port, limits.tcpKeepAliveMs);
      attempts.add(socket);
      const lose = (error: unknown): void => {
        if (!attempts.delete(socket)) return;
        lastError = error;
        socket.destroy();
        startNext();
      };
      socket.on('error', lose);
      socket.once('connect', () => {
        if (!isSameAddress(socket.remoteAddress, address)) {
          lose(new Error('connected to another address than the one checked'));
          return;
        }
        socket.off('error', lose);
        finish({ socket, address });
      });
    };
    const deadline = setTimeout(
      () => finish(undefined, timeoutRefusal('connect', { peer })),
      limits.connectTimeoutMs,
    );
    if (signal?.aborted) {
      onAbort();
      return;
    }
    signal?.addEventListener('abort', onAbort);
    startNext();
  });
}

function openSocket(address: Address, port: number, keepAliveMs: number): Socket {
  return connectTcp({
    host: address.text,
    port,
    family: address.family,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveMs,
    allowHalfOpen: true,
  });
}

/** RFC 8305 section 4: alternate the families, beginning with the preferred one. */
function interleaveFamilies(addresses: readonly Address[]): readonly Address[] {
  const first = addresses[0];
  if (first === undefined || addresses.length < 2) return addresses;
  const same = addresses.filter((address) => address.family === first.family);
  const other = addresses.filter((address) => address.family !== first.family);
  const order: Address[] = [];
  for (let i = 0; i < Math.max(same.length, other.length); i += 1) {
    for (const address of [same[i], other[i]]) if (address !== undefined) order.push(address);
  }
  return order;
}

/** I5. `undefined` (already gone) does not count as the same. */
function isSameAddress(remote: string | undefined, address: Address): boolean {
  return remote === address.text || remote === `::ffff:${address.text}`;
}

/** What a dial that was aborted rejects with. */
export function abortError(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Refusal('upstream_unreachable');
}
