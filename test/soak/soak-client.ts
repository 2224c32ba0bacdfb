/**
 * One client of the soak: a sandbox of its own, one way of speaking, one request after another with a
 * pause. While it is disturbed (rotated away, detached, paused) refusals and cuts are right; otherwise
 * anything but the expected answer is a fault.
 */
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { BIG_CHUNKS, EVENTS } from './soak-origin.ts';
import type { SoakLedger } from './soak-ledger.ts';
import { openSoakTunnel } from './soak-tunnel.ts';
import type { TunnelPlan } from './soak-tunnel.ts';

export type Speech = 'http1' | 'http2' | 'websocket' | 'churn';

export interface ClientPlan {
  readonly name: string;
  readonly speech: Speech;
  readonly secret: number;
  readonly tunnel: Omit<TunnelPlan, 'alpn'>;
  readonly ledger: SoakLedger;
  readonly pauseMs: number;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

const KINDS = ['small', 'small', 'small', 'small', 'echo', 'echo', 'events', 'big', 'upload'];
const UPLOAD = Buffer.alloc(256 * 1024, 'up');
const STALLED_MS = 30_000;

export class SoakClient {
  readonly plan: ClientPlan;
  /** Set while an admin does something to it; refusals are right then. */
  disturbances = 0;
  #stopped = false;
  #socket: TLSSocket | undefined;
  #agent: http.Agent | undefined;
  #session: ClientHttp2Session | undefined;
  #peer: WebSocket | undefined;

  constructor(plan: ClientPlan) {
    this.plan = plan;
  }

  stop(): void {
    this.#stopped = true;
  }

  async run(): Promise<void> {
    const { ledger, name, pauseMs } = this.plan;
    for (let turn = 0; !this.#stopped; turn += 1) {
      const before = this.disturbances;
      const timer = setTimeout(() => {
        ledger.fault(name, 'stalled');
        this.#close();
      }, STALLED_MS);
      try {
        await this.#turn(KINDS[turn % KINDS.length] ?? 'small');
      } catch (error) {
        this.#close();
        // What was disturbed a moment ago may still be felt.
        if (this.disturbances === 0 && before === 0 && !this.#stopped) {
          ledger.fault(name, `${this.plan.speech}: ${error instanceof Error ? error.message : ''}`);
        }
      } finally {
        clearTimeout(timer);
      }
      await delay(pauseMs * (0.5 + Math.random()));
    }
    this.#close();
  }

  async #turn(kind: string): Promise<void> {
    const { ledger, name, secret, speech } = this.plan;
    const path = `/${name}/${secret}/${ledger.secrets[secret]?.acknowledged ?? 0}/${kind}`;
    if (speech === 'websocket') {
      await this.#frame(path);
      return;
    }
    const answer =
      speech === 'http2' ? await this.#stream(path, kind) : await this.#request(path, kind);
    ledger.countOf(name).answered += 1;
    ledger.judgeAnswer(name, secret, answer.text, `${speech} ${kind} ${answer.text.slice(0, 200)}`);
    if (answer.status !== 200)
      throw new Error(`${kind}: ${answer.status} ${answer.text.slice(0, 200)}`);
    checkBody(kind, answer.text);
    if (speech === 'churn') this.#close();
  }

  async #request(path: string, kind: string): Promise<Answer> {
    const socket = await this.#open(['http/1.1']);
    const request = http.request({
      agent: this.#agent ?? false,
      host: this.plan.tunnel.host,
      path,
      method: kind === 'upload' ? 'POST' : 'GET',
      ...(kind === 'upload' ? { headers: { 'content-length': UPLOAD.length } } : {}),
    });
    request.end(kind === 'upload' ? UPLOAD : undefined);
    this.plan.ledger.countOf(this.plan.name).sent += 1;
    const [response] = (await Promise.race([
      once(request, 'response'),
      once(socket, 'close').then(() => Promise.reject(new Error('closed'))),
    ])) as [http.IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('latin1') };
  }

  async #stream(path: string, kind: string): Promise<Answer> {
    const session = await this.#openSession();
    const stream = session.request(
      { ':path': path, ':method': kind === 'upload' ? 'POST' : 'GET' },
      { endStream: kind !== 'upload' },
    );
    stream.on('error', () => {});
    if (kind === 'upload') stream.end(UPLOAD);
    this.plan.ledger.countOf(this.plan.name).sent += 1;
    const [headers] = (await Promise.race([
      once(stream, 'response'),
      once(stream, 'close').then(() => Promise.reject(new Error(`reset ${stream.rstCode}`))),
    ])) as [http2.IncomingHttpHeaders];
    const chunks: Buffer[] = [];
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
    return { status: Number(headers[':status']), text: Buffer.concat(chunks).toString('latin1') };
  }

  /** One connection for many turns; each turn is an echoed frame, only the first one a request. */
  async #frame(path: string): Promise<void> {
    const { ledger, name, tunnel } = this.plan;
    if (this.#peer === undefined || this.#peer.readyState !== WebSocket.OPEN) {
      this.#close();
      const socket = await this.#open(['http/1.1']);
      const peer = new WebSocket(`ws://${tunnel.host}${path}`, { createConnection: () => socket });
      peer.on('error', () => {});
      ledger.countOf(name).sent += 1;
      await Promise.race([
        once(peer, 'open'),
        once(peer, 'close').then(() => Promise.reject(new Error('no WebSocket'))),
      ]);
      ledger.countOf(name).answered += 1;
      this.#peer = peer;
    }
    const peer = this.#peer;
    const turn = new AbortController();
    const { signal } = turn;
    const closed = once(peer, 'close', { signal }).then(() => {
      throw new Error('the WebSocket closed');
    });
    closed.catch(() => {});
    peer.send(path);
    try {
      const [data] = (await Promise.race([once(peer, 'message', { signal }), closed])) as [Buffer];
      if (data.toString() !== path) throw new Error('another frame came back');
    } finally {
      turn.abort();
    }
  }

  async #open(alpn: readonly string[]): Promise<TLSSocket> {
    if (this.#socket === undefined || this.#socket.destroyed) {
      const socket = await openSoakTunnel({ ...this.plan.tunnel, alpn });
      socket.setMaxListeners(0);
      this.#socket = socket;
      this.#agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      Object.assign(this.#agent, { createConnection: () => socket });
    }
    return this.#socket;
  }

  async #openSession(): Promise<ClientHttp2Session> {
    if (this.#session === undefined || this.#session.destroyed || this.#session.closed) {
      this.#close();
      const socket = await this.#open(['h2']);
      if (socket.alpnProtocol !== 'h2') throw new Error('h2 was not agreed on');
      const session = http2.connect(`https://${this.plan.tunnel.host}`, {
        createConnection: () => socket,
      });
      session.on('error', () => {});
      this.#session = session;
    }
    return this.#session;
  }

  #close(): void {
    this.#peer?.terminate();
    this.#session?.destroy();
    this.#socket?.destroy();
    this.#peer = undefined;
    this.#session = undefined;
    this.#socket = undefined;
  }
}

function checkBody(kind: string, text: string): void {
  if (kind === 'big' && text.length !== BIG_CHUNKS * 64 * 1024)
    throw new Error(`cut at ${text.length}`);
  if (kind === 'upload' && text !== String(UPLOAD.length)) throw new Error(`uploaded ${text}`);
  if (kind === 'events' && text.split('data: ').length - 1 !== EVENTS)
    throw new Error('events are missing');
}
