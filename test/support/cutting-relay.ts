/**
 * A wire that breaks on demand: a TCP relay in front of a port that counts the pieces passing in either
 * direction, and at the Nth resets both sides instead of handing it on. Unarmed it only passes.
 */
import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export class CuttingRelay implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #sockets = new Set<Socket>();
  #cutAt = 0;
  #seen = 0;
  /** The armed cut happened. */
  hasCut = false;

  private constructor(target: { readonly port: number }) {
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
      const { port } = target;
      const far = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true });
      this.#join(near, far);
      this.#join(far, near);
    });
  }

  static async start(target: { readonly port: number }): Promise<CuttingRelay> {
    const relay = new CuttingRelay(target);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that stand on both sides. */
  get openCount(): number {
    return this.#sockets.size / 2;
  }

  /** The `nth` piece from now on is not passed; counted from 1, over all connections. */
  arm(nth: number): void {
    this.#cutAt = nth;
    this.#seen = 0;
    this.hasCut = false;
  }

  disarm(): void {
    this.#cutAt = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('error', () => {});
    from.on('data', (chunk: Buffer) => {
      this.#seen += 1;
      if (this.#seen === this.#cutAt) {
        this.hasCut = true;
        from.resetAndDestroy();
        to.resetAndDestroy();
      } else {
        to.write(chunk);
      }
    });
    from.on('end', () => to.end());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
