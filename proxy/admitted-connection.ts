/**
 * The client connection of one CONNECT, registered with its sandbox from admission to its end: limits
 * count it and policy changes reach it while its name is still resolved and its origin still dialled.
 */
import type { Socket } from 'node:net';
import type { TokenHolder } from '../src/policy/policy-feed.ts';
import type { Address } from '../src/wire/address.ts';
import type { Authority } from '../src/wire/host.ts';
import type { OpenConnection, OpenConnections } from './open-connections.ts';

export class AdmittedConnection implements OpenConnection {
  kind: 'connecting' | 'tunnel' | 'intercepted' = 'connecting';
  /** Where a tunnel goes, once it was dialled. */
  address: Address | null = null;
  readonly holder: TokenHolder;
  readonly target: Authority;
  readonly #socket: Socket;
  readonly #release: () => void;
  #isClosedByPolicy = false;

  constructor(open: OpenConnections, holder: TokenHolder, target: Authority, socket: Socket) {
    this.holder = holder;
    this.target = target;
    this.#socket = socket;
    const remove = open.addConnection(this);
    socket.once('close', remove);
    this.#release = () => {
      socket.off('close', remove);
      remove();
    };
  }

  get isClosedByPolicy(): boolean {
    return this.#isClosedByPolicy;
  }

  closeByPolicy(): void {
    this.#isClosedByPolicy = true;
    this.#socket.destroy();
  }

  /** The CONNECT was refused: what the connection carries next counts anew. */
  release(): void {
    this.#release();
  }
}
