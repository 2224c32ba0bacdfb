/**
 * The origin of the soak: TLS with `h2` and `http/1.1`, judges each arrival and answers by the last
 * segment of the path: small JSON, an echo of the credential, events, many bytes, uploads, WebSocket.
 */
import { once } from 'node:events';
import http2 from 'node:http2';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import type { TestLeaf } from '../support/test-authority.ts';
import type { SoakLedger } from './soak-ledger.ts';

const CHUNK = Buffer.alloc(64 * 1024, 'soak ');
export const BIG_CHUNKS = 16;
export const EVENTS = 20;

type Request = http2.Http2ServerRequest;
type Response = http2.Http2ServerResponse;

export interface SoakOrigin extends AsyncDisposable {
  readonly address: string;
}

export async function startSoakOrigin(leaf: TestLeaf, ledger: SoakLedger): Promise<SoakOrigin> {
  const sockets = new Set<Socket>();
  const frames = new WebSocketServer({ noServer: true });
  const server = http2.createSecureServer({
    cert: leaf.certPem,
    key: leaf.keyPem,
    allowHTTP1: true,
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  });
  server.on('sessionError', () => {});
  server.on('request', (request, response) => {
    judge(ledger, request.headers, request.url);
    request.on('error', () => {});
    response.stream?.on('error', () => {});
    void answer(request, response).catch(() => response.stream?.close());
  });
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    judge(ledger, request.headers, request.url ?? '');
    frames.handleUpgrade(request, socket, head, (peer) => {
      peer.on('message', (data) => peer.send(data));
      peer.on('error', () => {});
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close').catch(() => undefined);
    },
  };
}

/** `/CLIENT/SECRET/GENERATION/KIND`. */
function judge(ledger: SoakLedger, headers: IncomingMessage['headers'], url: string): void {
  const [, client = '', secret = '', least = ''] = url.split('/');
  ledger.judgeArrival(client, Number(secret), Number(least), headers.authorization ?? '');
}

async function answer(request: Request, response: Response): Promise<void> {
  const kind = request.url.split('/').at(-1);
  // The runtime's server resets a stream whose request nobody read, over data still to be sent.
  if (kind !== 'upload') request.resume();
  if (kind === 'events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let i = 0; i < EVENTS && !response.destroyed; i += 1) {
      response.write(`data: ${i}\n\n`);
      await delay(50);
    }
    response.end();
  } else if (kind === 'big') {
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    for (let i = 0; i < BIG_CHUNKS && !response.destroyed; i += 1) {
      if (!response.write(CHUNK)) await Promise.race([once(response, 'drain'), delay(5_000)]);
    }
    response.end();
  } else if (kind === 'upload') {
    let bytes = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) bytes += chunk.length;
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.end(String(bytes));
  } else {
    const echo = kind === 'echo' ? request.headers.authorization : 'ok';
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ said: echo }));
  }
}
