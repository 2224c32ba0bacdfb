/**
 * A WebSocket handshake with an origin (RFC 6455 4.1): dialled and verified like every connection, sent
 * on one opened for it, never retried, never pooled afterwards. An origin that declines answers with an
 * ordinary response, which passes through the same observer.
 */
import { request as startRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Refusal } from '../kernel/errors.ts';
import type { Limits } from '../kernel/limits.ts';
import { connectRefusal } from './dial-fault.ts';
import type { Dialer } from './dial.ts';
import { exchangeRefusal, protocolRefusal } from './exchange-fault.ts';
import type { ResponseProgress } from './exchange-fault.ts';
import { isFramingKnown } from './response-fields.ts';
import { SocketAgent } from './socket-agent.ts';
import type {
  UpstreamExchange,
  UpstreamObserver,
  UpstreamRequest,
  UpstreamResponseHead,
} from './upstream.ts';

export interface UpgradeObserver extends UpstreamObserver {
  /** Instead of `onResponse`, and the last call: the socket and what came after the head are yours. */
  onUpgrade(head: UpstreamResponseHead, socket: Duplex, firstBytes: Buffer): void;
}

export interface UpgradeDialer {
  /** `request.fields` carry `Sec-WebSocket-*`; `Connection` and `Upgrade` are added here. No body. */
  dispatch(request: UpstreamRequest, observer: UpgradeObserver): UpstreamExchange;
}

export interface UpgradeDialerOptions {
  readonly dialer: Dialer;
  readonly limits: Pick<Limits, 'headBytesMax' | 'responseHeadTimeoutMs' | 'bodySilenceTimeoutMs'>;
}

export function createUpgradeDialer(options: UpgradeDialerOptions): UpgradeDialer {
  return {
    dispatch(request, observer) {
      const exchange = new UpgradeExchange(options, request, observer);
      void exchange.start();
      return exchange;
    },
  };
}

class UpgradeExchange implements UpstreamExchange {
  readonly #options: UpgradeDialerOptions;
  readonly #upstream: UpstreamRequest;
  readonly #observer: UpgradeObserver;
  readonly #dialing = new AbortController();
  #socket: Socket | undefined;
  #response: IncomingMessage | undefined;
  #timer: NodeJS.Timeout | undefined;
  #progress: ResponseProgress = 'nothing';
  #isOver = false;

  constructor(options: UpgradeDialerOptions, request: UpstreamRequest, observer: UpgradeObserver) {
    this.#options = options;
    this.#upstream = request;
    this.#observer = observer;
  }

  async start(): Promise<void> {
    try {
      const socket = await this.#dial();
      if (this.#isOver) socket.destroy();
      else this.#send(socket);
    } catch (error) {
      if (this.#isOver) return;
      this.#isOver = true;
      this.#observer.onFailure(error instanceof Refusal ? error : connectRefusal(error));
    }
  }

  resume(): void {
    this.#response?.resume();
    this.#timer?.refresh();
  }

  abort(): void {
    if (this.#isOver) return;
    this.#finish();
    this.#dialing.abort();
    this.#socket?.destroy();
  }

  #dial(): Promise<Socket> {
    const { dialer } = this.#options;
    const { origin } = this.#upstream;
    const { signal } = this.#dialing;
    if (origin.scheme === 'https') return dialer.dialTls(origin, { alpn: ['http/1.1'], signal });
    return dialer.dialTcp(origin, { signal });
  }

  #send(socket: Socket): void {
    const { method, target, hostField, fields } = this.#upstream;
    socket.on('error', ignoreError);
    const request = startRequest({
      agent: new SocketAgent(socket),
      method,
      path: target,
      headers: ['Host', hostField, 'Connection', 'Upgrade', 'Upgrade', 'websocket', ...fields],
      setHost: false,
      maxHeaderSize: this.#options.limits.headBytesMax,
    });
    request.maxHeadersCount = 0;
    this.#socket = socket;
    request
      .on('socket', () => {
        socket.once('data', () => {
          if (this.#progress === 'nothing') this.#progress = 'bytes';
        });
        queueMicrotask(() => {
          if (!this.#isOver) this.#observer.onHeadWritten();
        });
      })
      .on('information', (info) => this.#onInformation(info))
      .on('upgrade', (response, upgraded, head) => this.#onUpgrade(response, upgraded, head))
      .on('response', (response) => this.#onResponse(response))
      .on('error', (error) => this.#fail(error))
      .on('close', () => this.#fail(Object.assign(new Error('closed'), { code: 'ECONNRESET' })))
      .end();
    this.#watchSilence(this.#options.limits.responseHeadTimeoutMs, 'UND_ERR_HEADERS_TIMEOUT');
  }

  #onInformation(info: { statusCode: number; statusMessage: string; rawHeaders: string[] }): void {
    this.#progress = 'bytes';
    if (this.#isOver || info.statusCode === 100) return;
    const { statusCode: status, statusMessage: statusText, rawHeaders: fields } = info;
    this.#observer.onInformation({ status, statusText, fields });
  }

  #onUpgrade(response: IncomingMessage, socket: Duplex, firstBytes: Buffer): void {
    if (this.#isOver || response.headers.upgrade?.toLowerCase() !== 'websocket') {
      this.#fail(protocolRefusal('101 to another protocol'));
      socket.destroy();
      return;
    }
    this.#finish();
    this.#observer.onUpgrade(readHead(response), socket, firstBytes);
  }

  #onResponse(response: IncomingMessage): void {
    if (this.#isOver) return;
    this.#progress = 'head';
    this.#response = response;
    if (!isFramingKnown(response.rawHeaders)) {
      this.#fail(protocolRefusal('response with an unknown transfer coding'));
      return;
    }
    // Node hands a 101 that names no protocol over as an ordinary response.
    if (response.statusCode === 101) {
      this.#fail(protocolRefusal('101 without Upgrade'));
      return;
    }
    response
      .on('data', (chunk: Buffer) => {
        this.#timer?.refresh();
        if (!this.#isOver && !this.#observer.onData(chunk)) response.pause();
      })
      .on('end', () => this.#onResponseEnd(response))
      .on('error', (error) => this.#fail(error));
    this.#watchSilence(this.#options.limits.bodySilenceTimeoutMs, 'UND_ERR_BODY_TIMEOUT');
    this.#observer.onResponse(readHead(response));
  }

  #onResponseEnd(response: IncomingMessage): void {
    if (this.#isOver || !response.complete) return;
    this.#finish();
    this.#socket?.destroy();
    this.#observer.onEnd(response.rawTrailers);
  }

  #watchSilence(timeoutMs: number, code: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#response?.isPaused() === true) this.#timer?.refresh();
      else this.#fail(Object.assign(new Error('silence'), { code }));
    }, timeoutMs);
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#finish();
    this.#socket?.destroy();
    this.#observer.onFailure(exchangeRefusal(error, this.#progress));
  }

  #finish(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}

function readHead(response: IncomingMessage): UpstreamResponseHead {
  return {
    status: response.statusCode ?? 0,
    statusText: response.statusMessage ?? '',
    fields: response.rawHeaders,
  };
}

function ignoreError(): void {
  // The request reports it.
}
