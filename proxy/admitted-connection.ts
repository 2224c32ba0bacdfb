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
  serverName: string | null = null;
  readonly holder: TokenHolder;
  readonly target: Authority;
  readonly #socket: Socket;
  readonly #release: () => void;
  readonly #open: OpenConnections;
  #isRunning = false;
  #isClosedByPolicy = false;

  constructor(open: OpenConnections, holder: TokenHolder, target: Authority, socket: Socket) {
    this.holder = holder;
    this.target = target;
    this.#socket = socket;
    this.#open = open;
    const takeOff = open.addConnection(this);
    const remove = (): void => {
      this.stopRunning();
      takeOff();
    };
    socket.once('close', remove);
    this.#release = () => {
      socket.off('close', remove);
      remove();
    };
  }

  get tunnelledBytes(): number {
    return this.kind === 'tunnel' ? this.#socket.bytesRead + this.#socket.bytesWritten : 0;
  }

  get isClosedByPolicy(): boolean {
    return this.#isClosedByPolicy;
  }

  /** It was let in as a tunnel: counts among what its sandbox has running. */
  startRunning(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#open.startRunning(this.holder.sandboxId);
  }

  /** It became an interception, whose exchanges count themselves, or it is over. */
  stopRunning(): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#open.stopRunning(this.holder.sandboxId);
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
