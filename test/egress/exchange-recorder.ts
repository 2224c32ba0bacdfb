/** Runs one exchange and records every observer call in order. */
import type { Readable } from 'node:stream';
import type { Refusal } from '../../src/kernel/errors.ts';
import type {
  Origin,
  Upstream,
  UpstreamExchange,
  UpstreamObserver,
  UpstreamRequest,
  UpstreamResponseHead,
} from '../../src/egress/upstream.ts';

export class ExchangeRecorder implements UpstreamObserver {
  readonly calls: string[] = [];
  readonly informational: UpstreamResponseHead[] = [];
  head: UpstreamResponseHead | undefined;
  body = '';
  trailers: readonly string[] = [];
  failure: Refusal | undefined;
  http2ErrorCode: number | undefined;
  exchange: UpstreamExchange | undefined;
  isPausing = false;
  readonly done: Promise<void>;
  readonly responded: Promise<void>;
  #finish: () => void = () => undefined;
  #respond: () => void = () => undefined;

  constructor() {
    this.done = new Promise((resolve) => (this.#finish = resolve));
    this.responded = new Promise((resolve) => (this.#respond = resolve));
  }

  onHeadWritten(): void {
    this.calls.push('headWritten');
  }
  onInformation(head: UpstreamResponseHead): void {
    this.calls.push(`information ${head.status}`);
    this.informational.push(head);
  }
  onResponse(head: UpstreamResponseHead): void {
    this.calls.push('response');
    this.head = head;
    this.#respond();
  }
  onData(chunk: Buffer): boolean {
    if (this.calls.at(-1) !== 'data') this.calls.push('data');
    this.body += chunk.toString('latin1');
    return !this.isPausing;
  }
  onEnd(trailers: readonly string[]): void {
    this.calls.push('end');
    this.trailers = trailers;
    this.#finish();
  }
  onFailure(refusal: Refusal, http2ErrorCode?: number): void {
    this.calls.push('failure');
    this.http2ErrorCode = http2ErrorCode;
    this.failure = refusal;
    this.#finish();
    this.#respond();
  }
}

export function originAt(port: number, more: Partial<Origin> = {}): Origin {
  return {
    organizationId: 'org_1',
    sandboxId: 'sbx_1',
    scheme: 'http',
    host: 'api.example.com',
    port: 80,
    addresses: [{ family: 4, text: '127.0.0.1' }],
    dialPort: port,
    clientIdentity: null,
    ...more,
  };
}

export function requestTo(origin: Origin, more: Partial<UpstreamRequest> = {}): UpstreamRequest {
  return {
    origin,
    protocol: 'http/1.1',
    method: 'GET',
    target: '/',
    fields: [],
    neverIndexed: [],
    hostField: origin.host,
    body: null as Readable | null,
    contentLength: null,
    expectContinue: false,
    acceptsTrailers: false,
    requestTrailers: null,
    replayable: (more.method ?? 'GET') !== 'POST',
    ...more,
  };
}

export function start(upstream: Upstream, request: UpstreamRequest): ExchangeRecorder {
  const recorder = new ExchangeRecorder();
  recorder.exchange = upstream.dispatch(request, recorder);
  return recorder;
}

export async function run(upstream: Upstream, request: UpstreamRequest): Promise<ExchangeRecorder> {
  const recorder = start(upstream, request);
  await recorder.done;
  return recorder;
}
