/**
 * The connections of one pool key (spec section 7): how many are open, which HTTP/1.1 ones are idle, which
 * HTTP/2 ones may have room. Bookkeeping only: it opens and closes nothing.
 */
import type { Http2Connection } from './http2-connection.ts';
import type { ConnectionKind, OriginConnection, SerialConnection } from './origin-connection.ts';

export class Pool {
  readonly key: string;
  /** Established and being opened. */
  openCount = 0;
  /** Last in, first out: the rest may time out. */
  readonly #idle: SerialConnection[] = [];
  readonly #shared: Http2Connection[] = [];

  constructor(key: string) {
    this.key = key;
  }

  /** The connection to close first when room is needed; undefined when all are in use. */
  get spare(): OriginConnection | undefined {
    return this.#idle[0] ?? this.#shared.find((connection) => connection.isIdle);
  }

  takeIdle(kind: ConnectionKind): SerialConnection | undefined {
    for (let i = this.#idle.length - 1; i >= 0; i -= 1) {
      const connection = this.#idle[i];
      if (connection === undefined || connection.kind !== kind) continue;
      if (connection.socket.destroyed) continue;
      if (i === this.#idle.length - 1) this.#idle.pop();
      else this.#idle.splice(i, 1);
      return connection;
    }
    return undefined;
  }

  addIdle(connection: SerialConnection): void {
    this.#idle.push(connection);
  }

  addShared(connection: Http2Connection): void {
    this.#shared.push(connection);
  }

  /** Oldest first, so that the others may time out. `newerThan`: a serial number. */
  readShared(
    sandboxId: string,
    newerThan: number,
    mayBeSilent: boolean,
  ): Http2Connection | undefined {
    return this.#shared.find(
      (connection) =>
        connection.serial > newerThan &&
        connection.hasRoomFor(sandboxId) &&
        (mayBeSilent || !connection.isSilent),
    );
  }

  remove(connection: OriginConnection): void {
    const list: OriginConnection[] = connection.kind === 'http2' ? this.#shared : this.#idle;
    const index = list.indexOf(connection);
    if (index >= 0) list.splice(index, 1);
  }
}
