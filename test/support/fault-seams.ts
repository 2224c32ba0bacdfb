/**
 * Breaks one call of the composed product, the Nth: to its store, of its dialler, of its writes. Unarmed it
 * only watches. Sockets of the test and of its origins share the process; they are told apart by their ports.
 */
import net from 'node:net';
import type { Socket } from 'node:net';
import { vi } from 'vitest';
import { StoreFailure } from '../../src/store/messages.ts';
import { RemoteStore } from '../../src/store/remote-store.ts';

/**
 * `store lost`: the store does it and the answer is lost; `store slow`: it comes late. A `write` fails as one
 * on a connection that is gone does.
 */
export type Seam = 'store' | 'store lost' | 'store slow' | 'dial' | 'write';

/** What an exchange asks of the store; the rest is asked by clocks, at any time. */
const EXCHANGE_CALLS = /^(policy\.|audit\.appendEvents|usage\.)/;
const SLOW_MS = 400;

export interface FaultPorts {
  readonly proxyPort: number;
  readonly originPort: number;
}

/** Node's own, missing in its typings. */
interface WritingSocket extends Socket {
  readonly _parent?: Socket | null;
  _writeGeneric(
    isVector: boolean,
    data: unknown,
    encoding: string,
    done: (error?: Error | null) => void,
  ): void;
}

export class FaultSeams implements Disposable {
  readonly #ports: FaultPorts;
  readonly #dialled = new WeakSet<Socket>();
  readonly #restore: (() => void)[] = [];
  #armed: Seam | null = null;
  #nth = 0;
  #seen = 0;
  /** The armed fault happened. */
  hasFired = false;

  constructor(ports: FaultPorts) {
    this.#ports = ports;
    this.#watchStore();
    this.#watchDials();
    this.#watchWrites();
  }

  /** Counted from 1, from now on. */
  arm(seam: Seam, nth: number): void {
    this.#armed = seam;
    this.#nth = nth;
    this.#seen = 0;
    this.hasFired = false;
  }

  disarm(): void {
    this.#armed = null;
  }

  [Symbol.dispose](): void {
    for (const restore of this.#restore) restore();
  }

  #fails(...seams: readonly Seam[]): boolean {
    if (this.#armed === null || !seams.includes(this.#armed)) return false;
    this.#seen += 1;
    if (this.#seen !== this.#nth) return false;
    this.hasFired = true;
    return true;
  }

  #watchStore(): void {
    // oxlint-disable-next-line typescript/unbound-method -- called with the store as `this`
    const real = RemoteStore.prototype.ask;
    // oxlint-disable-next-line typescript/no-this-alias -- `this` is the patched object inside
    const seams = this;
    const spy = vi.spyOn(RemoteStore.prototype, 'ask').mockImplementation(async function ask(
      this: RemoteStore,
      ...args: Parameters<RemoteStore['ask']>
    ) {
      const isCounted = EXCHANGE_CALLS.test(args[0]);
      const fault = seams.#armed;
      if (!isCounted || !seams.#fails('store', 'store lost', 'store slow')) {
        return real.apply(this, args);
      }
      if (fault === 'store') throw new StoreFailure('injected: the store refused');
      const answer = await real.apply(this, args);
      if (fault === 'store lost') throw new StoreFailure('injected: the answer was lost');
      await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
      return answer;
    });
    this.#restore.push(() => spy.mockRestore());
  }

  #watchDials(): void {
    const { prototype } = net.Socket as unknown as { prototype: Socket };
    // oxlint-disable-next-line typescript/unbound-method -- called with the socket as `this`
    const real = prototype.connect as (...args: unknown[]) => Socket;
    // oxlint-disable-next-line typescript/no-this-alias -- `this` is the patched object inside
    const seams = this;
    prototype.connect = function connect(this: Socket, ...args: unknown[]): Socket {
      const first: unknown = Array.isArray(args[0]) ? args[0][0] : args[0];
      const port = (first as { port?: unknown } | undefined)?.port;
      if (Number(port) !== seams.#ports.originPort) return real.apply(this, args);
      seams.#dialled.add(this);
      if (!seams.#fails('dial')) return real.apply(this, args);
      process.nextTick(() => this.destroy(injected('ECONNREFUSED')));
      return this;
    };
    this.#restore.push(() => {
      prototype.connect = real;
    });
  }

  #watchWrites(): void {
    const { prototype } = net.Socket as unknown as { prototype: WritingSocket };
    // oxlint-disable-next-line typescript/unbound-method -- called with the socket as `this`
    const real = prototype._writeGeneric;
    // oxlint-disable-next-line typescript/no-this-alias -- `this` is the patched object inside
    const seams = this;
    prototype._writeGeneric = function write(this: WritingSocket, ...args) {
      if (seams.#isProducts(this) && seams.#fails('write')) args[3](injected('EPIPE'));
      else real.apply(this, args);
    };
    this.#restore.push(() => {
      prototype._writeGeneric = real;
    });
  }

  #isProducts(socket: WritingSocket): boolean {
    const wire = socket._parent ?? socket;
    return wire.localPort === this.#ports.proxyPort || this.#dialled.has(wire);
  }
}

function injected(code: string): Error {
  return Object.assign(new Error(`injected: ${code}`), { code });
}
