/**
 * An origin over TLS that breaks at one point of every exchange until it is mended: before TLS, in the middle
 * of a body, between two trailers. HTTP/1.1 or HTTP/2, written byte by byte. Mended, it answers
 * `200`, a 103 before, a body in two pieces, trailers.
 */
import { once } from 'node:events';
import net from 'node:net';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { ByteReader } from './byte-reader.ts';
import {
  encodeFields,
  encodeFrame,
  encodeHeaders,
  encodeReset,
  encodeSettings,
  FrameFlag,
  FrameType,
  PREFACE,
  readFrame,
} from './http2-frames.ts';
import type { Frame } from './http2-frames.ts';
import { LoopbackListener } from './loopback-listener.ts';
import type { TestLeaf } from './test-authority.ts';

/** In their order: an origin that breaks at one has done all before it. */
export const BREAKING_POINTS = [
  'connected',
  'hello read',
  'secured',
  'head read',
  'half the body read',
  'interim response sent',
  'half the head sent',
  'head sent',
  'half the body sent',
  'half the trailers sent',
] as const;
export type BreakingPoint = (typeof BREAKING_POINTS)[number];

/**
 * `close`: it says its goodbyes and reads on; `truncate`: the connection just ends, TLS not being told;
 * `stream`: HTTP/2's own reset.
 */
export type Breakage = 'reset' | 'close' | 'truncate' | 'hang' | 'stream';

export interface BreakingPlan {
  readonly leaf: TestLeaf;
  readonly protocol: 'http/1.1' | 'h2';
  readonly point: BreakingPoint;
  readonly breakage: Breakage;
}

/** The request's body comes in these two pieces. */
export const FIRST_HALF = 'first half,';
export const SECOND_HALF = 'second half';

const INTERNAL_ERROR = 2;

/** Longer than any test keeps a connection idle. */
const WAIT_MS = 60_000;

class Broken extends Error {}

export class BreakingOrigin implements AsyncDisposable {
  /** TCP connections so far. */
  connectionCount = 0;
  /** Everything that was read inside TLS, latin1 (of HTTP/2 the decoded literals are not in it). */
  text = '';
  isMended = false;
  readonly #plan: BreakingPlan;
  readonly #server: net.Server;
  readonly #listener: LoopbackListener;

  private constructor(plan: BreakingPlan) {
    this.#plan = plan;
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.connectionCount += 1;
      this.#serve(socket).catch(() => undefined);
    });
    this.#listener = new LoopbackListener(this.#server);
  }

  static async start(plan: BreakingPlan): Promise<BreakingOrigin> {
    const origin = new BreakingOrigin(plan);
    await origin.#listener.listen();
    return origin;
  }

  /** `HOST:PORT`, as `egress.hosts` takes it. */
  get address(): string {
    return this.#listener.address;
  }

  get openCount(): number {
    return this.#listener.openCount;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener.close();
  }

  async #serve(wire: Socket): Promise<void> {
    wire.on('end', () => wire.end());
    this.#pass('connected', wire);
    if (this.#plan.point === 'hello read' && !this.isMended) {
      await once(wire, 'data');
      this.#pass('hello read', wire);
    }
    const { leaf, protocol } = this.#plan;
    const secure = new TLSSocket(wire, {
      isServer: true,
      cert: leaf.certPem,
      key: leaf.keyPem,
      ALPNProtocols: [protocol],
    });
    secure.on('error', () => {}).on('end', () => secure.end());
    await once(secure, 'secure');
    this.#pass('secured', wire, secure);
    secure.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1');
    });
    if (protocol === 'h2') await this.#serveHttp2(wire, secure);
    else await this.#serveHttp1(wire, secure);
  }

  async #serveHttp1(wire: Socket, secure: TLSSocket): Promise<void> {
    const reader = new ByteReader(secure);
    const pass = (point: BreakingPoint): void => this.#pass(point, wire, secure);
    for (;;) {
      const head = (await reader.readUntil('\r\n\r\n', WAIT_MS)).toString('latin1');
      pass('head read');
      if (head.startsWith('POST ')) {
        await reader.readUntil(FIRST_HALF);
        pass('half the body read');
        await reader.readUntil(SECOND_HALF);
      }
      secure.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
      pass('interim response sent');
      secure.write('HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\n');
      pass('half the head sent');
      secure.write('Transfer-Encoding: chunked\r\n\r\n');
      pass('head sent');
      secure.write('6\r\nhalf, \r\n');
      pass('half the body sent');
      secure.write('5\r\nwhole\r\n0\r\nX-Su');
      pass('half the trailers sent');
      secure.write('m: 1\r\n\r\n');
    }
  }

  async #serveHttp2(wire: Socket, secure: TLSSocket): Promise<void> {
    const reader = new ByteReader(secure);
    await reader.readExactly(PREFACE.length);
    secure.write(encodeSettings());
    for (;;) {
      await this.#serveStream(reader, wire, secure).catch((error: unknown) => {
        // The connection outlives a stream that was reset.
        if (!(error instanceof Broken) || this.#plan.breakage !== 'stream') throw error;
      });
    }
  }

  async #serveStream(reader: ByteReader, wire: Socket, secure: TLSSocket): Promise<void> {
    const head = await this.#readUntil(reader, secure, FrameType.headers);
    const id = head.streamId;
    const pass = (point: BreakingPoint): void => this.#pass(point, wire, secure, id);
    pass('head read');
    if ((head.flags & FrameFlag.endStream) === 0) {
      let data = await this.#readUntil(reader, secure, FrameType.data);
      pass('half the body read');
      while ((data.flags & FrameFlag.endStream) === 0) {
        data = await this.#readUntil(reader, secure, FrameType.data);
      }
    }
    secure.write(encodeHeaders(id, [':status', '103', 'link', '</a>'], FrameFlag.endHeaders));
    pass('interim response sent');
    secure.write(encodeFrame(FrameType.headers, 0, id, encodeFields([':status', '200'])));
    pass('half the head sent');
    secure.write(
      encodeFrame(FrameType.continuation, FrameFlag.endHeaders, id, encodeFields(['x', '1'])),
    );
    pass('head sent');
    secure.write(encodeFrame(FrameType.data, 0, id, Buffer.from('half, ')));
    pass('half the body sent');
    secure.write(encodeFrame(FrameType.data, 0, id, Buffer.from('whole')));
    secure.write(encodeFrame(FrameType.headers, FrameFlag.endStream, id, encodeFields(['a', '1'])));
    pass('half the trailers sent');
    secure.write(
      encodeFrame(FrameType.continuation, FrameFlag.endHeaders, id, encodeFields(['x-sum', '1'])),
    );
  }

  async #readUntil(reader: ByteReader, secure: TLSSocket, type: number): Promise<Frame> {
    for (;;) {
      const frame = await readFrame(reader, WAIT_MS);
      if (frame.type === FrameType.settings && frame.flags === 0) {
        secure.write(encodeFrame(FrameType.settings, FrameFlag.ack, 0));
      }
      if (frame.type === type) return frame;
    }
  }

  /** Goes on, or breaks and throws. */
  #pass(point: BreakingPoint, wire: Socket, secure?: TLSSocket, streamId = 0): void {
    if (point !== this.#plan.point || this.isMended) return;
    const { breakage } = this.#plan;
    // To see the other side go.
    (secure ?? wire).resume();
    // What was written before is to arrive before.
    setTimeout(() => {
      if (breakage === 'reset') wire.resetAndDestroy();
      else if (breakage === 'close') (secure ?? wire).end();
      else if (breakage === 'truncate') wire.destroy();
      else if (breakage === 'stream') secure?.write(encodeReset(streamId, INTERNAL_ERROR));
    }, 30);
    throw new Broken();
  }
}
