/**
 * The admin API as the command line uses it: one connection pool of its own (proxy variables of the shell
 * are ignored on purpose), JSON in, JSON out, every failure a `CommandFault` with what was being done.
 * The key travels in a header only and is never printed.
 */
import { Agent, request } from 'undici';
import type { Hidden } from '../src/kernel/hidden.ts';
import { CommandFault } from './command-fault.ts';
import { EXIT_CODES, exitCodeOfStatus } from './exit-codes.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

interface AdminClientOptions {
  readonly url: string;
  readonly apiKey: Hidden | undefined;
}

interface ErrorBody {
  readonly error?: {
    readonly code?: string;
    readonly message?: string;
    readonly details?: readonly { readonly path: string; readonly message: string }[];
  };
  readonly message?: string;
}

const TIMEOUT_MS = 30_000;

export class AdminClient {
  readonly url: string;
  readonly #apiKey: Hidden | undefined;
  readonly #agent = new Agent({
    connect: { timeout: 10_000 },
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
  });

  constructor(options: AdminClientOptions) {
    this.url = options.url.replace(/\/+$/, '');
    this.#apiKey = options.apiKey;
  }

  /** `doing` completes the sentence of a failure, as in "creating secret github". */
  async get<T>(doing: string, path: string): Promise<T> {
    return JSON.parse(await this.#call(doing, 'GET', path)) as T;
  }

  async getText(doing: string, path: string): Promise<string> {
    return this.#call(doing, 'GET', path);
  }

  async post<T>(doing: string, path: string, body: unknown): Promise<T> {
    return JSON.parse(await this.#call(doing, 'POST', path, body)) as T;
  }

  async put<T>(doing: string, path: string, body: unknown): Promise<T> {
    return JSON.parse(await this.#call(doing, 'PUT', path, body)) as T;
  }

  async patch<T>(doing: string, path: string, body: unknown): Promise<T> {
    return JSON.parse(await this.#call(doing, 'PATCH', path, body)) as T;
  }

  async delete(doing: string, path: string): Promise<void> {
    await this.#call(doing, 'DELETE', path);
  }

  /**
   * The text of an answer as it comes, to GET, or to POST where there is a body. Ends when the connection
   * does; rejects when there is none.
   */
  async *stream(doing: string, path: string, body?: unknown): AsyncGenerator<string> {
    const response = await request(this.url + path, {
      method: body === undefined ? 'GET' : 'POST',
      dispatcher: this.#agent,
      headers: this.#headers(body !== undefined),
      body: body === undefined ? null : JSON.stringify(body),
    }).catch((cause: unknown) => {
      throw this.#unreachable(doing, cause);
    });
    const { statusCode, body: answer } = response;
    if (statusCode !== 200) throw faultOf(doing, statusCode, await answer.text());
    const decoder = new TextDecoder();
    try {
      for await (const chunk of answer) yield decoder.decode(chunk as Uint8Array, { stream: true });
    } catch {
      // Broken off: the caller goes on from where it is.
    }
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  async #call(doing: string, method: Method, path: string, body?: unknown): Promise<string> {
    let status: number;
    let text: string;
    try {
      const response = await request(this.url + path, {
        method,
        dispatcher: this.#agent,
        headers: this.#headers(body !== undefined),
        body: body === undefined ? null : JSON.stringify(body),
      });
      status = response.statusCode;
      text = await response.body.text();
    } catch (cause) {
      throw this.#unreachable(doing, cause);
    }
    if (status < 200 || status > 299) throw faultOf(doing, status, text);
    return text;
  }

  #headers(hasBody: boolean): Record<string, string> {
    return {
      accept: 'application/json',
      'user-agent': 'sallyport-cli',
      ...(hasBody ? { 'content-type': 'application/json' } : {}),
      ...(this.#apiKey === undefined ? {} : { 'x-api-key': this.#apiKey.reveal() }),
    };
  }

  #unreachable(doing: string, cause: unknown): CommandFault {
    const reason = cause instanceof Error ? readReason(cause) : 'connection failed';
    return new CommandFault(`the admin API at ${this.url} does not answer (${reason})`, {
      doing,
      cause,
      hint: 'Is `sallyport serve` running? Name another address with --url or SALLYPORT_URL.',
      exitCode: EXIT_CODES.unreachable,
    });
  }
}

function readReason(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code;
  return code ?? error.message;
}

const HINTS: Readonly<Record<string, string>> = {
  auth_failed: 'Put the admin key into SALLYPORT_API_KEY, or its file into --api-key-file.',
  bad_request: 'Add --help for what is possible; docs/guides/cli.md says more.',
  conflict: 'The sentence says what is in the way; `list` and `show` tell what is there.',
  forbidden: 'The key is valid; if the sentence does not say why, its role does not allow this.',
  internal_error: 'The log of the server says what happened.',
  not_found: '`sallyport secret list` and `sallyport sandbox list` show what exists.',
  secret_not_found: '`sallyport secret list` shows what exists.',
  value_not_placeable: 'Look for a line end or white space that came along with the value.',
  value_required:
    'Give the value again in the same command: --value-stdin, --value-file FILE or --value-env NAME.',
  rate_limited: 'Wait a moment and try again.',
};

function faultOf(doing: string, status: number, text: string): CommandFault {
  const body = readErrorBody(text);
  const error = body.error ?? {};
  const code = error.code ?? 'no error code';
  // The faces of other systems have the sentence alone.
  const message = error.message ?? body.message ?? 'the admin API refused';
  const details = (error.details ?? [])
    .map((fault) => `${fault.path}: ${fault.message}`)
    .filter((line) => line !== message)
    .map((line) => `\n  ${line}`);
  return new CommandFault(`${message} (${status} ${code})${details.join('')}`, {
    doing,
    exitCode: exitCodeOfStatus(status),
    hint: HINTS[code] ?? 'Is --url (or SALLYPORT_URL) the address of an admin API?',
  });
}

function readErrorBody(text: string): ErrorBody {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? body : {};
  } catch {
    return {};
  }
}
