/**
 * Origins that speak HTTP/2 over TLS: one of `node:http2`, with a handler for each stream, and one made of
 * frames, which does what no library would. Both count connections, and what arrived on them.
 */
import { constants, createSecureServer, sensitiveHeaders } from 'node:http2';
import type {
  Http2ServerRequest,
  Http2ServerResponse,
  IncomingHttpHeaders,
  ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { createTrust } from '../../src/egress/trust.ts';
import type { Origin } from '../../src/egress/upstream.ts';
import { ByteReader } from '../support/byte-reader.ts';
import {
  encodeFrame,
  encodeSettings,
  FrameFlag,
  FrameType,
  PREFACE,
  readFrame,
} from '../support/http2-frames.ts';
import type { Frame } from '../support/http2-frames.ts';
import { TestAuthority } from '../support/test-authority.ts';
import { originAt } from './exchange-recorder.ts';

const authority = new TestAuthority();
const HOST = 'api.example.com';
const leaf = authority.mintLeaf([HOST, 'other.example.com']);

/** Believes the origins of this file. */
export const trust = createTrust({ extraCaPems: [authority.caPem] });
export const tls = { cert: leaf.certPem, key: leaf.keyPem };

export function secureOriginAt(port: number, more: Partial<Origin> = {}): Origin {
  return originAt(port, { scheme: 'https', host: HOST, port: 443, ...more });
}

export interface StreamRecord {
  readonly fields: readonly string[];
  readonly neverIndexed: readonly string[];
  /** 1, 2, … in the order of connections. */
  readonly connection: number;
  readonly stream: ServerHttp2Stream;
}

export interface Http2Origin {
  readonly port: number;
  readonly streams: StreamRecord[];
  /** HTTP/1.1 requests, for origins that allow them. */
  readonly serial: string[];
  readonly sockets: Socket[];
  close(): Promise<void>;
}

interface Http2OriginOptions {
  readonly onStream: (stream: ServerHttp2Stream, record: StreamRecord) => void;
  readonly allowHttp1?: boolean;
  readonly maxConcurrentStreams?: number;
  readonly host?: string;
  readonly port?: number;
}

export async function startHttp2Origin(options: Http2OriginOptions): Promise<Http2Origin> {
  const streams: StreamRecord[] = [];
  const serial: string[] = [];
  const sockets: Socket[] = [];
  const numbers = new WeakMap<object, number>();
  let sessions = 0;
  const server = createSecureServer({
    ...tls,
    allowHTTP1: options.allowHttp1 ?? false,
    settings: { maxConcurrentStreams: options.maxConcurrentStreams ?? 100 },
  });
  server.on('secureConnection', (socket: TLSSocket) => sockets.push(socket.on('error', ignore)));
  server.on('session', (session) => {
    sessions += 1;
    numbers.set(session, sessions);
    session.on('error', ignore);
  });
  const onStream = (
    stream: ServerHttp2Stream,
    fields: IncomingHttpHeaders,
    _flags: number,
    raw: string[],
  ): void => {
    stream.on('error', ignore);
    const neverIndexed = (fields as { [sensitiveHeaders]?: string[] })[sensitiveHeaders] ?? [];
    const connection = numbers.get(stream.session ?? {}) ?? 0;
    const record = { fields: raw, neverIndexed, connection, stream };
    streams.push(record);
    options.onStream(stream, record);
  };
  server.on('stream', onStream);
  // A listener would also let the compatibility layer answer streams.
  if (options.allowHttp1 === true) {
    server.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
      if (request.httpVersionMajor !== 1) return;
      serial.push(request.url);
      request.resume();
      response.end('one');
    });
  }
  await new Promise<void>((resolve) => {
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    streams,
    serial,
    sockets,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** Answers 200 with a text. */
export function answerOk(stream: ServerHttp2Stream, text = 'ok'): void {
  stream.resume();
  stream.respond({ ':status': 200 });
  stream.end(text);
}

export interface FrameConnection {
  readonly index: number;
  readonly socket: Socket;
  readonly frames: Frame[];
  send(...frames: readonly Buffer[]): void;
}

export interface FrameOrigin {
  readonly port: number;
  readonly connections: FrameConnection[];
  close(): Promise<void>;
}

/** Sends its SETTINGS, acknowledges ours, hands over every other frame. */
export async function startFrameOrigin(
  onFrame: (connection: FrameConnection, frame: Frame) => void,
  settings: readonly number[] = [],
): Promise<FrameOrigin> {
  const connections: FrameConnection[] = [];
  const server = createTlsServer({ ...tls, ALPNProtocols: ['h2'] }, (socket) => {
    const connection: FrameConnection = {
      index: connections.length,
      socket,
      frames: [],
      send: (...frames) => {
        if (!socket.destroyed) socket.write(Buffer.concat(frames));
      },
    };
    connections.push(connection);
    socket.on('error', ignore);
    readFrames(connection, settings, onFrame).catch(ignore);
  });
  server.on('tlsClientError', ignore);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    close: () => {
      for (const { socket } of connections) socket.destroy();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

async function readFrames(
  connection: FrameConnection,
  settings: readonly number[],
  onFrame: (connection: FrameConnection, frame: Frame) => void,
): Promise<void> {
  const reader = new ByteReader(connection.socket);
  await reader.readExactly(PREFACE.length);
  connection.send(encodeSettings(...settings));
  for (;;) {
    const frame = await readFrame(reader);
    connection.frames.push(frame);
    if (frame.type === FrameType.settings) {
      if (frame.flags === 0) connection.send(encodeFrame(FrameType.settings, FrameFlag.ack, 0));
    } else {
      onFrame(connection, frame);
    }
  }
}

/** `onFrame` that acts on request heads only. */
export function onHead(act: (connection: FrameConnection, streamId: number) => void) {
  return (connection: FrameConnection, frame: Frame): void => {
    if (frame.type === FrameType.headers) act(connection, frame.streamId);
  };
}

export const Code = {
  noError: constants.NGHTTP2_NO_ERROR,
  internalError: constants.NGHTTP2_INTERNAL_ERROR,
  refusedStream: constants.NGHTTP2_REFUSED_STREAM,
  cancel: constants.NGHTTP2_CANCEL,
  enhanceYourCalm: constants.NGHTTP2_ENHANCE_YOUR_CALM,
  http11Required: constants.NGHTTP2_HTTP_1_1_REQUIRED,
} as const;

function ignore(): void {}
