/**
 * The one place where the control plane turns results and failures into HTTP. Rows of the table of errors
 * keep their sentence; anything else says nothing outside and everything in the log.
 */
import { CONTROL_ERRORS, ControlError } from '../src/kernel/errors.ts';
import type { Logger } from '../src/kernel/logger.ts';
import type { FailureBody } from './contract/failure.ts';
import type { Face } from './face.ts';

const COMMON_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

export function respondJson(
  status: number,
  data: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return respondText(status, JSON.stringify(data), 'application/json', headers);
}

export function respondText(
  status: number,
  text: string,
  contentType: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const type = contentType.includes('charset') ? contentType : `${contentType}; charset=utf-8`;
  return new Response(text, {
    status,
    headers: { ...COMMON_HEADERS, 'content-type': type, ...headers },
  });
}

/**
 * An array, bare or between `begin` and `end`, that is read page by page while it is sent. What fails before the first page is an
 * ordinary failure; what fails later breaks the body off.
 */
export async function respondJsonPages<Row>(
  pages: AsyncGenerator<readonly Row[]>,
  describe: (row: Row) => unknown,
  [begin, end]: readonly [begin: string, end: string] = ['[', ']'],
): Promise<Response> {
  const format = (rows: readonly Row[]): string =>
    rows.map((row) => JSON.stringify(describe(row))).join();
  const first = await pages.next();
  let opening = begin;
  let hasRows = false;
  let page: readonly Row[] | null = first.done ? null : first.value;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const text = page === null ? '' : format(page);
      controller.enqueue(Buffer.from(opening + (hasRows && text !== '' ? ',' : '') + text));
      opening = '';
      hasRows ||= text !== '';
      const following = page === null ? null : await pages.next();
      page = following === null || following.done ? null : following.value;
      if (page !== null) return;
      controller.enqueue(Buffer.from(end));
      controller.close();
    },
    async cancel() {
      await pages.return(undefined);
    },
  });
  return new Response(body, {
    headers: { ...COMMON_HEADERS, 'content-type': 'application/json; charset=utf-8' },
  });
}

export function respondNothing(): Response {
  return new Response(null, { status: 204, headers: COMMON_HEADERS });
}

/** `requestId` ties an `internal_error` to its log line. `face`: whose words are used. */
export function respondFailure(
  error: unknown,
  requestId: string,
  logger: Logger,
  face: Face | null = null,
): Response {
  const isKnown = error instanceof ControlError && error.code !== 'internal_error';
  if (!isKnown) logger.error({ err: error, requestId }, 'a request of the admin API failed');
  const known = isKnown ? error : new ControlError('internal_error');
  const { status, body } = face?.describeFailure(known) ?? describeFailure(known, requestId);
  const { code, retryAfterS } = known;
  return respondJson(status, body, {
    ...(code === 'auth_failed' ? { 'www-authenticate': 'Bearer realm="sallyport"' } : {}),
    ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
  });
}

function describeFailure(
  { code, message, details }: ControlError,
  requestId: string,
): { status: number; body: FailureBody } {
  const error = {
    code,
    message,
    ...(details.length === 0 ? {} : { details: [...details] }),
    ...(code === 'internal_error' ? { request_id: requestId } : {}),
  };
  return { status: CONTROL_ERRORS[code].status, body: { error } };
}
