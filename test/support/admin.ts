/**
 * A client of the admin API for tests: JSON in, status and JSON out, never throws on a status. Keeps every
 * byte the API ever answered, for canary searches.
 */

export interface AdminAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed body; `undefined` when it is empty or not JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of any shape
  readonly json: any;
}

export class AdminClient {
  readonly origin: string;
  readonly key: string;
  /** Heads and bodies of all answers. */
  readonly transcript: Buffer[];

  constructor(origin: string, key: string, transcript: Buffer[] = []) {
    this.origin = origin;
    this.key = key;
    this.transcript = transcript;
  }

  /** The same API with another key. */
  withKey(key: string): AdminClient {
    return new AdminClient(this.origin, key, this.transcript);
  }

  get(path: string): Promise<AdminAnswer> {
    return this.call('GET', path);
  }

  post(path: string, body?: unknown): Promise<AdminAnswer> {
    return this.call('POST', path, body);
  }

  put(path: string, body?: unknown): Promise<AdminAnswer> {
    return this.call('PUT', path, body);
  }

  patch(path: string, body: unknown): Promise<AdminAnswer> {
    return this.call('PATCH', path, body);
  }

  delete(path: string, body?: unknown): Promise<AdminAnswer> {
    return this.call('DELETE', path, body);
  }

  /** Like the others, and throws unless the answer is 2xx: for the steps a test does not examine. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of any shape
  async must(method: string, path: string, body?: unknown): Promise<any> {
    const answer = await this.call(method, path, body);
    if (answer.status >= 200 && answer.status < 300) return answer.json;
    throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  }

  /** `organization`: which one a root key acts on. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    organization?: string,
  ): Promise<AdminAnswer> {
    const response = await fetch(`${this.origin}${path}`, {
      method,
      headers: {
        'x-api-key': this.key,
        ...(organization === undefined ? {} : { 'x-organization': organization }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'manual',
    });
    const text = await response.text();
    const head = [...response.headers].map(([name, value]) => `${name}: ${value}`).join('\n');
    this.transcript.push(Buffer.from(`${head}\n\n${text}\n`));
    return { status: response.status, headers: response.headers, text, json: readJson(text) };
  }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
