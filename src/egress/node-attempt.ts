/**
 * One try of an exchange that undici cannot carry: `Expect: 100-continue`, request trailers, `OPTIONS *`,
 * HEAD (undici closes the connection after each) and bodies whose head must not wait for their first
 * byte. Same connections, same limits, with `node:http` writing and parsing.
 */
import { request as startRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Attempt, AttemptSink } from './attempt.ts';
import { protocolRefusal } from './exchange-fault.ts';
import { KEEP_ALIVE_MARGIN_MS } from './origin-connection.ts';
import type { ConnectionLimits, NodeConnection } from './origin-connection.ts';
import type { BodyStream } from './request-body.ts';
import { isConnectionBound, isFramingKnown, readKeepAliveMs } from './response-fields.ts';
import type { UpstreamRequest } from './upstream.ts';
import type { UpstreamPools } from './upstream-pools.ts';

export interface NodeAttemptOptions {
  readonly pools: UpstreamPools;
  readonly connection: NodeConnection;
  readonly request: UpstreamRequest;
  readonly body: BodyStream | null;
  readonly sink: AttemptSink;
  readonly limits: ConnectionLimits;
}

export function startNodeAttempt(options: NodeAttemptOptions): Attempt {
  return new NodeAttempt(options);
}

class NodeAttempt implements Attempt {
  readonly #options: NodeAttemptOptions;
  readonly #request: ClientRequest;
  #response: IncomingMessage | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sentBytes = 0;
  #isOver = false;

  constructor(options: NodeAttemptOptions) {
    this.#options = options;
    const { connection, request, limits } = options;
    this.#request = startRequest({
      agent: connection.agent,
      method: request.method,
      path: request.target,
      headers: composeHeaders(request),
      setHost: false,
      maxHeaderSize: limits.headBytesMax,
    });
    this.#request.maxHeadersCount = 0;
    this.#listen();
    this.#request.flushHeaders();
    this.#sendBody();
  }

  resume(): void {
    this.#response?.resume();
    this.#timer?.refresh();
  }

  abort(): void {
    if (this.#isOver) return;
    this.#end();
    this.#options.body?.destroy();
    this.#options.pools.discard(this.#options.connection);
    this.#request.destroy();
  }

  #listen(): void {
    const { sink } = this.#options;
    this.#request
      .on('socket', (socket) => {
        socket.once('data', this.#onFirstData);
        // `node:http` writes the head right after this event.
        queueMicrotask(() => {
          if (!this.#isOver) sink.onHeadWritten();
        });
      })
      .on('information', (info) => {
        if (this.#isOver) return;
        if (info.statusCode === 100 && !this.#options.request.expectContinue) return;
        const { statusCode: status, statusMessage: statusText, rawHeaders: fields } = info;
        sink.onInformation({ status, statusText, fields });
      })
      .on('upgrade', () => this.#fail(protocolRefusal('101 without an upgrade')))
      .on('response', (response) => this.#onResponse(response))
      .on('error', (error) => this.#fail(error))
      .on('close', () => this.#fail(Object.assign(new Error('closed'), { code: 'ECONNRESET' })));
  }

  #onResponse(response: IncomingMessage): void {
    if (this.#isOver) return;
    const { connection, sink } = this.#options;
    const { rawHeaders: fields } = response;
    this.#response = response;
    if (!isFramingKnown(fields)) {
      this.#fail(protocolRefusal('response with an unknown transfer coding'));
      return;
    }
    // Node hands a 101 that names no protocol over as an ordinary response.
    if (response.statusCode === 101) {
      this.#fail(protocolRefusal('101 without an upgrade'));
      return;
    }
    if (isConnectionBound(fields)) connection.isTainted = true;
    const announcedMs = readKeepAliveMs(fields);
    connection.idleTimeoutMs =
      announcedMs === undefined
        ? this.#options.limits.upstreamIdleTimeoutMs
        : Math.max(1, announcedMs - KEEP_ALIVE_MARGIN_MS);
    response
      .on('data', (chunk: Buffer) => {
        if (this.#isOver) return;
        this.#timer?.refresh();
        if (!sink.onData(chunk)) response.pause();
      })
      .on('end', () => this.#onResponseEnd(response))
      .on('error', (error) => this.#fail(error));
    this.#watchSilence(this.#options.limits.bodySilenceTimeoutMs, 'UND_ERR_BODY_TIMEOUT');
    sink.onResponse({
      status: response.statusCode ?? 0,
      statusText: response.statusMessage ?? '',
      fields,
    });
  }

  #onResponseEnd(response: IncomingMessage): void {
    if (this.#isOver) return;
    if (!response.complete) {
      this.#fail(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }));
      return;
    }
    this.#end();
    const { connection, pools, sink, body } = this.#options;
    body?.destroy();
    if (!this.#request.writableFinished || !this.#request.shouldKeepAlive)
      pools.discard(connection);
    else connection.socket.once('free', () => pools.release(connection));
    sink.onEnd(response.rawTrailers);
  }

  #sendBody(): void {
    const { body, request, limits } = this.#options;
    if (body === null) {
      this.#request.end();
      this.#watchSilence(limits.responseHeadTimeoutMs, 'UND_ERR_HEADERS_TIMEOUT');
      return;
    }
    body
      .on('data', (chunk: Buffer) => {
        this.#sentBytes += chunk.length;
        if (this.#isLengthBroken(this.#sentBytes)) this.#fail(lengthError());
        else if (!this.#request.write(chunk)) body.pause();
      })
      .on('end', () => {
        if (request.contentLength !== null && this.#sentBytes !== request.contentLength) {
          this.#fail(lengthError());
          return;
        }
        if (request.requestTrailers !== null) {
          this.#request.addTrailers(pairs(request.requestTrailers()));
        }
        this.#request.end();
        if (this.#response === undefined) {
          this.#watchSilence(limits.responseHeadTimeoutMs, 'UND_ERR_HEADERS_TIMEOUT');
        }
      })
      .on('error', (error: Error) => this.#fail(error));
    this.#request.on('drain', () => body.resume());
    body.resume();
  }

  #isLengthBroken(sentBytes: number): boolean {
    const { contentLength } = this.#options.request;
    return contentLength !== null && sentBytes > contentLength;
  }

  /** A response that is paused by its reader is not silent. */
  #watchSilence(timeoutMs: number, code: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#response?.isPaused() === true) this.#timer?.refresh();
      else this.#fail(Object.assign(new Error('silence'), { code }));
    }, timeoutMs);
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    if (this.#response !== undefined && this.#options.request.method === 'HEAD') {
      // It answered; a body that must not be there follows. The answer stands, the connection goes.
      this.#end();
      this.#options.pools.discard(this.#options.connection);
      this.#options.sink.onEnd([]);
      return;
    }
    this.#end();
    this.#options.body?.destroy();
    this.#options.pools.discard(this.#options.connection);
    this.#options.sink.onFault(error);
  }

  readonly #onFirstData = (): void => {
    if (!this.#isOver) this.#options.sink.onResponseByte();
  };

  #end(): void {
    this.#isOver = true;
    this.#options.connection.socket.off('data', this.#onFirstData);
    clearTimeout(this.#timer);
  }
}

/** Field lines as they go out; `node:http` adds `Connection: keep-alive` and nothing else. */
function composeHeaders(request: UpstreamRequest): string[] {
  const headers = ['Host', request.hostField, ...request.fields];
  if (request.acceptsTrailers) headers.push('TE', 'trailers');
  if (request.expectContinue) headers.push('Expect', '100-continue');
  if (request.body !== null) {
    if (request.contentLength === null) headers.push('Transfer-Encoding', 'chunked');
    else headers.push('Content-Length', String(request.contentLength));
  } else if (!isBodyUnusual(request.method)) {
    headers.push('Content-Length', '0');
  }
  return headers;
}

/** RFC 9110 8.6: without a body these methods say nothing about its length. */
function isBodyUnusual(method: string): boolean {
  return method !== 'POST' && method !== 'PUT' && method !== 'PATCH';
}

function pairs(flat: readonly string[]): [string, string][] {
  const result: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) result.push([flat[i] ?? '', flat[i + 1] ?? '']);
  return result;
}

function lengthError(): Error {
  const error = new Error('the body does not have the announced length');
  return Object.assign(error, { code: 'ERR_HTTP_CONTENT_LENGTH_MISMATCH' });
}
