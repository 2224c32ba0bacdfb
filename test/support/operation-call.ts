/** One call of one operation over HTTP, whatever it answers; of a stream without end only the head is waited for. */
export interface OperationCall {
  readonly origin: string;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a `Buffer` as it is. */
  readonly body?: unknown;
}

export interface OperationAnswer {
  readonly status: number;
  readonly contentType: string | null;
  readonly headers: Headers;
  readonly text: string;
}

export async function callOperation(call: OperationCall): Promise<OperationAnswer> {
  const gone = new AbortController();
  const { method, body } = call;
  const response = await fetch(call.origin + call.path, {
    method,
    signal: gone.signal,
    redirect: 'manual',
    ...(call.headers === undefined ? {} : { headers: call.headers }),
    ...(body === undefined ? {} : { body: Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
  });
  const contentType = response.headers.get('content-type');
  const isEndless = contentType?.startsWith('text/event-stream') ?? false;
  const text = isEndless ? '' : await response.text();
  gone.abort();
  return { status: response.status, contentType, headers: response.headers, text };
}
