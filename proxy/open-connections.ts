/**
 * What every sandbox has open right now: client connections (tunnelled, intercepted, plain), upgraded
 * connections, exchanges in flight. Policy changes and deadlines act on it; limits count in it (I7).
 */
import type { Address } from '../src/wire/address.ts';
import type { Authority } from '../src/wire/host.ts';
import type { TokenHolder } from '../src/policy/policy-feed.ts';

/** A secret that something open was made with. */
export interface UsedSecret {
  readonly secretId: string;
  readonly bindingId: string;
}

/** One client connection of a sandbox; `connecting`: its CONNECT has no answer yet. */
export interface OpenConnection {
  readonly kind: 'plain' | 'connecting' | 'tunnel' | 'intercepted';
  readonly holder: TokenHolder;
  /** `null` for a plain connection, which may speak to many. */
  readonly target: Authority | null;
  /** Where a tunnel goes. */
  readonly address: Address | null;
  /** The host that the TLS hello of a tunnel asked for, where that is checked. */
  readonly serverName: string | null;
  /** Of a tunnel: how many in both directions so far. 0 for the others, whose exchanges tell more. */
  readonly tunnelledBytes: number;
  /** Destroys it; the audit rows of what was on it say `closed_by_policy`. */
  closeByPolicy(): void;
}

/** One exchange in flight, or an upgraded connection. */
export interface OpenExchange {
  readonly kind: 'exchange' | 'upgraded';
  readonly sandboxId: string;
  /** Who began it: ends with the token. */
  readonly holder: TokenHolder;
  readonly target: Authority;
  readonly address: Address | null;
  readonly secrets: readonly UsedSecret[];
  closeByPolicy(): void;
}

class SandboxShelf {
  readonly connections = new Set<OpenConnection>();
  readonly exchanges = new Set<OpenExchange>();
  /** Exchanges and tunnels that were let in and are not over. */
  running = 0;
}

export class OpenConnections {
  readonly #shelves = new Map<string, SandboxShelf>();
  readonly #connectionsPerSandboxMax: number;

  constructor(connectionsPerSandboxMax: number) {
    this.#connectionsPerSandboxMax = connectionsPerSandboxMax;
  }

  /** False when the sandbox has as many connections as it may have. */
  hasRoom(sandboxId: string): boolean {
    const shelf = this.#shelves.get(sandboxId);
    return shelf === undefined || shelf.connections.size < this.#connectionsPerSandboxMax;
  }

  /** Returns the function that takes it off again. */
  addConnection(connection: OpenConnection): () => void {
    const { sandboxId } = connection.holder;
    const shelf = this.#shelf(sandboxId);
    shelf.connections.add(connection);
    return () => {
      shelf.connections.delete(connection);
      this.#forgetIfEmpty(sandboxId, shelf);
    };
  }

  addExchange(exchange: OpenExchange): void {
    this.#shelf(exchange.sandboxId).exchanges.add(exchange);
  }

  removeExchange(exchange: OpenExchange): void {
    const shelf = this.#shelves.get(exchange.sandboxId);
    if (shelf === undefined) return;
    shelf.exchanges.delete(exchange);
    this.#forgetIfEmpty(exchange.sandboxId, shelf);
  }

  /** How many exchanges and tunnels of it were let in and are not over. */
  runningCount(sandboxId: string): number {
    return this.#shelves.get(sandboxId)?.running ?? 0;
  }

  /** One more of something that is entered here already; `stopRunning` before it is taken off. */
  startRunning(sandboxId: string): void {
    this.#shelf(sandboxId).running += 1;
  }

  stopRunning(sandboxId: string): void {
    const shelf = this.#shelves.get(sandboxId);
    if (shelf !== undefined) shelf.running -= 1;
  }

  sandboxIds(): MapIterator<string> {
    return this.#shelves.keys();
  }

  hasAny(sandboxId: string): boolean {
    return this.#shelves.has(sandboxId);
  }

  someHolder(sandboxId: string, test: (holder: TokenHolder) => boolean): boolean {
    for (const { holder } of this.#shelves.get(sandboxId)?.connections ?? []) {
      if (test(holder)) return true;
    }
    return false;
  }

  connectionsOf(sandboxId: string): readonly OpenConnection[] {
    return [...(this.#shelves.get(sandboxId)?.connections ?? [])];
  }

  exchangesOf(sandboxId: string): readonly OpenExchange[] {
    return [...(this.#shelves.get(sandboxId)?.exchanges ?? [])];
  }

  exchangeCountOf(sandboxId: string): number {
    return this.#shelves.get(sandboxId)?.exchanges.size ?? 0;
  }

  /** Exchanges and upgraded connections of all sandboxes: what a drain waits for. */
  exchangeCount(): number {
    let count = 0;
    for (const shelf of this.#shelves.values()) count += shelf.exchanges.size;
    return count;
  }

  /** In all tunnels that are open: while it changes, something is on its way in one of them. */
  tunnelledBytes(): number {
    let bytes = 0;
    for (const shelf of this.#shelves.values()) {
      for (const connection of shelf.connections) bytes += connection.tunnelledBytes;
    }
    return bytes;
  }

  #shelf(sandboxId: string): SandboxShelf {
    let shelf = this.#shelves.get(sandboxId);
    if (shelf === undefined) {
      shelf = new SandboxShelf();
      this.#shelves.set(sandboxId, shelf);
    }
    return shelf;
  }

  #forgetIfEmpty(sandboxId: string, shelf: SandboxShelf): void {
    if (shelf.connections.size === 0 && shelf.exchanges.size === 0) {
      // A shelf made anew in between must survive.
      if (this.#shelves.get(sandboxId) === shelf) this.#shelves.delete(sandboxId);
    }
  }
}
