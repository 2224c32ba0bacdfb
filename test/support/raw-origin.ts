/**
 * A TLS or TCP origin below HTTP: records every byte of every connection and plays a script, so that a
 * test can send malformed heads, reset, hang or half-close at an exact point.
 */
import net from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { LoopbackListener } from './loopback-listener.ts';
import type { TestLeaf } from './test-authority.ts';

/** One step of the script. */
export type Step =
  /** Wait until the bytes received on this connection contain this text (latin1). */
  | { readonly await: string }
  | { readonly send: string | Buffer }
  | { readonly waitMs: number }
  | { readonly end: 'half-close' | 'close' | 'reset' };

/** One accepted connection. */
export interface RawConnection {
  readonly socket: Socket;
  /** Everything received so far, latin1. */
  readonly text: () => string;
  readonly bytes: () => Buffer;
  /** The client ended its half. */
  readonly ended: () => boolean;
  readonly closed: Promise<void>;
}

export interface RawOriginOptions {
  readonly leaf?: TestLeaf;
  /** Handed to `tls.createServer` beside the leaf (`maxVersion`, `ciphers`, `ALPNProtocols`…). */
  readonly tlsOptions?: tls.TlsOptions;
  /** Script by connection number (from 0); the last one repeats. Default: record only. */
  readonly scripts?: readonly (readonly Step[])[];
  readonly host?: string;
}

async function play(steps: readonly Step[], socket: Socket, text: () => string): Promise<void> {
  let seen = 0;
  for (const step of steps) {
    if (socket.destroyed) return;
    if ('await' in step) {
      for (let at = -1; at < 0;) {
        at = text().indexOf(step.await, seen);
        if (at >= 0) seen = at + step.await.length;
        else if (socket.destroyed) return;
        else await delay(2);
      }
    } else if ('send' in step) {
      socket.write(typeof step.send === 'string' ? Buffer.from(step.send, 'latin1') : step.send);
    } else if ('waitMs' in step) {
      await delay(step.waitMs);
    } else if (step.end === 'half-close') {
      socket.end();
    } else if (step.end === 'reset') {
      socket.resetAndDestroy();
    } else {
      socket.destroy();
    }
  }
}

export class RawOrigin implements AsyncDisposable {
  readonly connections: RawConnection[] = [];
  /** TLS handshakes that failed, as codes or messages. */
  readonly handshakeFaults: string[] = [];
  readonly #server: net.Server;
  readonly #listener: LoopbackListener;
  readonly #options: RawOriginOptions;

  private constructor(options: RawOriginOptions) {
    this.#options = options;
    const { leaf } = options;
    if (leaf === undefined) {
      this.#server = net.createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    } else {
      this.#server = tls.createServer(
        { ...options.tlsOptions, cert: leaf.certPem, key: leaf.keyPem, allowHalfOpen: true },
        (socket) => this.#accept(socket),
      );
      this.#server.on('tlsClientError', (error: NodeJS.ErrnoException) => {
        this.handshakeFaults.push(error.code ?? error.message);
      });
    }
    this.#listener = new LoopbackListener(this.#server);
  }

  static async start(options: RawOriginOptions = {}): Promise<RawOrigin> {
    const origin = new RawOrigin(options);
    await origin.#listener.listen(options.host);
    return origin;
  }

  get port(): number {
    return this.#listener.port;
  }

  get address(): string {
    return this.#listener.address;
  }

  /** Every byte received, all connections, latin1. */
  get allText(): string {
    return this.connections.map((connection) => connection.text()).join('');
  }

  async waitForText(text: string, timeoutMs = 5_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!this.allText.includes(text)) {
      if (Date.now() > deadline) throw new Error(`raw origin never received ${text}`);
      await delay(2);
    }
  }

  async close(): Promise<void> {
    await this.#listener.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #accept(socket: Socket): void {
    const chunks: Buffer[] = [];
    let ended = false;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => {
      ended = true;
    });
    const bytes = (): Buffer => Buffer.concat(chunks);
    const text = (): string => bytes().toString('latin1');
    const closed = new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
    });
    const index = this.connections.push({ socket, text, bytes, ended: () => ended, closed }) - 1;
    const scripts = this.#options.scripts ?? [];
    const steps = scripts[Math.min(index, scripts.length - 1)];
    if (steps !== undefined) void play(steps, socket, text);
  }
}
