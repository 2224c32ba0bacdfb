/**
 * Exchanges that wait because a limit of connections is reached: a line for each route (pool key without
 * the address), first come first served in it, so that a busy origin holds up nobody else. Bounded by
 * the client connections, each of which waits for one exchange at most, and by a time.
 */
import type { ConnectionWaiter } from './connection-waiter.ts';

interface Place {
  readonly route: string;
  readonly timer: NodeJS.Timeout;
}

export class ConnectionQueue {
  readonly #lines = new Map<string, Set<ConnectionWaiter>>();
  readonly #places = new Map<ConnectionWaiter, Place>();

  get size(): number {
    return this.#places.size;
  }

  /** `onTimeout` is called after `timeoutMs`, when the waiter has left the line. */
  add(route: string, waiter: ConnectionWaiter, timeoutMs: number, onTimeout: () => void): void {
    const timer = setTimeout(() => {
      this.remove(waiter);
      onTimeout();
    }, timeoutMs);
    this.#places.set(waiter, { route, timer });
    const line = this.#lines.get(route);
    if (line === undefined) this.#lines.set(route, new Set([waiter]));
    else line.add(waiter);
  }

  remove(waiter: ConnectionWaiter): void {
    const place = this.#places.get(waiter);
    if (place === undefined) return;
    clearTimeout(place.timer);
    this.#places.delete(waiter);
    const line = this.#lines.get(place.route);
    line?.delete(waiter);
    if (line?.size === 0) this.#lines.delete(place.route);
  }

  /** Lets each line go on until its first waiter has to stay; `tryServe` says whether one was served. */
  serve(tryServe: (waiter: ConnectionWaiter) => boolean): void {
    for (const line of this.#lines.values()) {
      for (const waiter of line) {
        if (!tryServe(waiter)) break;
        this.remove(waiter);
      }
    }
  }

  /** Empties all lines. */
  takeAll(): readonly ConnectionWaiter[] {
    const waiters = [...this.#places.keys()];
    for (const waiter of waiters) this.remove(waiter);
    return waiters;
  }
}
