/**
 * A strict HTTP/1.1 request reader (RFC 9112, no leniency at all), written apart from `src/wire` on
 * purpose: it judges what reached the origin. Any byte that two servers could read differently is a fault.
 */

export interface StrictRequest {
  readonly method: string;
  readonly target: string;
  /** Flat name, value list as received. */
  readonly fields: readonly string[];
  /** Decoded body, latin1. */
  readonly body: string;
  readonly trailers: readonly string[];
}

export type StrictStep =
  | { readonly state: 'request'; readonly request: StrictRequest; readonly next: number }
  /** The bytes so far are the beginning of a good request. */
  | { readonly state: 'incomplete' }
  | { readonly state: 'fault'; readonly fault: string };

const INCOMPLETE = { state: 'incomplete' } as const;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;

/** Reads one request of `text` (latin1) from `start`. */
export function readStrictRequest(text: string, start: number): StrictStep {
  return readRequest(text, start, STRICT);
}

/**
 * The same with what RFC 9112 lets a recipient accept because it can be read in one way only: empty lines
 * before the request line (2.2) and more than one space in it (3), HTTP/1.0, leading zeroes of a length,
 * a coding in any case (7), chunk extensions (7.1.1). The runtime's parser also takes two names of other
 * protocols for HTTP and does not tell.
 */
export function readTolerantRequest(text: string, start: number): StrictStep {
  let at = start;
  while (text[at] === '\r' || text[at] === '\n') at += 1;
  return readRequest(text, at, TOLERANT);
}

interface Grammar {
  readonly requestLine: RegExp;
  /** A chunk-size line, whole, without its CRLF; the size is its first group. */
  readonly chunkLine: RegExp;
  readonly length: RegExp;
  readonly coding: RegExp;
  readonly needsHost: boolean;
}

const STRICT: Grammar = {
  requestLine: /^([^ ]+) ([\x21\x22\x24-\x7e]+) HTTP\/1\.1$/,
  chunkLine: /^([0-9a-fA-F]{1,8})$/,
  length: /^(?:0|[1-9][0-9]{0,15})$/,
  coding: /^chunked$/,
  needsHost: true,
};
const TOLERANT: Grammar = {
  requestLine: /^([^ ]+) +([\x21\x22\x24-\x7e\x80-\xff]+) +(?:HTTP|RTSP|ICE)\/1\.[01]$/,
  chunkLine: /^([0-9a-fA-F]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/,
  length: /^0*[0-9]{1,16}$/,
  coding: /^chunked$/i,
  needsHost: false,
};

function readRequest(text: string, start: number, grammar: Grammar): StrictStep {
  const headEnd = text.indexOf('\r\n\r\n', start);
  const head = text.slice(start, headEnd < 0 ? undefined : headEnd);
  const stray = /\r(?!\n)(?!$)|(?<!\r)\n|\0/.exec(head);
  if (stray !== null) return faulty('a bare CR, LF or NUL in the head');
  if (headEnd < 0) return INCOMPLETE;
  const [requestLine = '', ...fieldLines] = head.split('\r\n');
  const line = grammar.requestLine.exec(requestLine);
  const [, method = '', target = ''] = line ?? [];
  if (line === null || !TOKEN.test(method)) return faulty('a malformed request line');
  const fields = readFieldLines(fieldLines);
  if (fields === undefined) return faulty('a malformed field line');
  const hosts = valuesOf(fields, 'host').length;
  if (hosts > 1 || (hosts === 0 && grammar.needsHost)) return faulty('not exactly one Host');
  const body = readBody(text, headEnd + 4, fields, grammar);
  if (body.state !== 'body') return body;
  const request = { method, target, fields, body: body.body, trailers: body.trailers };
  return { state: 'request', request, next: body.next };
}

/** Values by normalized name: `_` counts as `-`, as CGI-like servers fold it. */
export function valuesOf(fields: readonly string[], normalizedName: string): string[] {
  return fields.filter(
    (_value, index) =>
      index % 2 === 1 && fields[index - 1]?.toLowerCase().replaceAll('_', '-') === normalizedName,
  );
}

type BodyStep =
  | {
      readonly state: 'body';
      readonly body: string;
      readonly trailers: readonly string[];
      readonly next: number;
    }
  | Exclude<StrictStep, { state: 'request' }>;

function readBody(
  text: string,
  start: number,
  fields: readonly string[],
  grammar: Grammar,
): BodyStep {
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  if (lengths.length + codings.length > 1) return faulty('more than one body length');
  if (codings.length === 1) {
    return grammar.coding.test(codings[0] ?? '')
      ? readChunked(text, start, grammar)
      : faulty('a coding not chunked');
  }
  if (lengths.length === 0) return { state: 'body', body: '', trailers: [], next: start };
  if (!grammar.length.test(lengths[0] ?? '')) return faulty('a malformed length');
  const next = start + Number(lengths[0]);
  if (text.length < next) return INCOMPLETE;
  return { state: 'body', body: text.slice(start, next), trailers: [], next };
}

function readChunked(text: string, start: number, grammar: Grammar): BodyStep {
  let body = '';
  for (let at = start; ;) {
    const lineEnd = text.indexOf('\r\n', at);
    const line = text.slice(at, lineEnd < 0 ? undefined : lineEnd);
    if (lineEnd < 0) {
      const isBegun = /^[0-9a-fA-F]{0,16}(?:[ \t]*;.*)?\r?$/.test(line) && line !== '\r';
      return isBegun ? INCOMPLETE : faulty('a malformed chunk size');
    }
    const digits = grammar.chunkLine.exec(line)?.[1];
    if (digits === undefined) return faulty('a malformed chunk size');
    const size = Number.parseInt(digits, 16);
    if (size === 0) return readTrailers(text, lineEnd + 2, body);
    const dataEnd = lineEnd + 2 + size;
    if (text.length < dataEnd + 2) return INCOMPLETE;
    if (text.slice(dataEnd, dataEnd + 2) !== '\r\n') return faulty('a chunk longer than its size');
    body += text.slice(lineEnd + 2, dataEnd);
    at = dataEnd + 2;
  }
}

function readTrailers(text: string, start: number, body: string): BodyStep {
  if (text.startsWith('\r\n', start)) return { state: 'body', body, trailers: [], next: start + 2 };
  const end = text.indexOf('\r\n\r\n', start);
  if (end < 0) return INCOMPLETE;
  const trailers = readFieldLines(text.slice(start, end).split('\r\n'));
  if (trailers === undefined) return faulty('a malformed trailer');
  return { state: 'body', body, trailers, next: end + 4 };
}

function readFieldLines(lines: readonly string[]): string[] | undefined {
  const fields: string[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0));
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
    if (!TOKEN.test(name) || !VALUE.test(value)) return undefined;
    fields.push(name, value);
  }
  return fields;
}

function faulty(fault: string): { readonly state: 'fault'; readonly fault: string } {
  return { state: 'fault', fault };
}
