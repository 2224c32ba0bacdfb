/**
 * Is this head one request with one body length and one host? RFC 9112 sections 3, 5, 6 and spec section
 * 5.1: what two readers could take differently is refused (I6). Works on what Node's parser hands over and
 * covers what llhttp lets through. Already refused by llhttp, and invisible here: obs-fold, bare CR or LF,
 * NUL, space before the colon, malformed chunk sizes. Invisible and harmless, because the head is written
 * anew: several spaces in the request line, chunk extensions, empty lines before it, `RTSP/1.0`.
 */
import { Refusal } from '../kernel/errors.ts';
import { normalizeFieldName } from './field-list.ts';
import { connectionOptions } from './hop-by-hop.ts';

/** The request line and field lines as the parser gave them. */
interface ReceivedHead {
  readonly method: string;
  readonly target: string;
  /** `1.1`, as Node's `httpVersion`; `2`. */
  readonly httpVersion: string;
  readonly fields: readonly string[];
  /** HTTP/2 says by a flag whether a body follows, HTTP/1.1 by its fields. */
  readonly hasBody?: boolean;
}

export interface RequestFraming {
  readonly bodyKind: 'none' | 'length' | 'chunked';
  /** Bytes, for `length`. */
  readonly contentLength: number | null;
  /** The one `Host` value as sent; `null` only on HTTP/1.0 and on CONNECT. */
  readonly host: string | null;
  readonly expectContinue: boolean;
  /** Normalized options of `Connection`, unchecked: see `checkConnectionOptions`. */
  readonly connectionOptions: readonly string[];
}

/** Throws Refusal `bad_request` for what is ambiguous, `header_too_large` beyond `headFieldsMax` lines. */
export function checkRequestHead(
  head: ReceivedHead,
  limits: { readonly headFieldsMax: number },
): RequestFraming {
  const { method, target, httpVersion, fields } = head;
  const isHttp2 = httpVersion === '2';
  if (httpVersion !== '1.1' && httpVersion !== '1.0' && !isHttp2)
    throw fault('The HTTP version is not 1.0 or 1.1.');
  if (!TOKEN.test(method)) throw fault('The method is no token.');
  if (!TARGET.test(target)) throw fault(TARGET_FAULT);
  if (fields.length > limits.headFieldsMax * 2) throw new Refusal('header_too_large');
  const framing = readFramingFields(fields);
  const isHttp10 = httpVersion === '1.0';
  if (framing.host === null && !isHttp10 && method !== 'CONNECT') {
    throw fault('The request has no Host.');
  }
  if (isHttp2 && (framing.transferEncoding !== null || framing.hasConnection)) {
    throw fault('HTTP/2 has no Connection and no Transfer-Encoding.');
  }
  const body = bodyOf(framing, isHttp10);
  return {
    // Without a length it goes on to an HTTP/1.1 origin in chunks.
    ...(body.bodyKind === 'none' && head.hasBody === true ? UNMEASURED : body),
    host: framing.host,
    expectContinue: framing.expect !== null && !isHttp10,
    connectionOptions: framing.hasConnection ? connectionOptions(fields) : NO_OPTIONS,
  };
}

const UNMEASURED = { bodyKind: 'chunked', contentLength: null } as const;
const NO_OPTIONS: readonly string[] = [];
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Visible ASCII without `#`: no fragment, space, control character or raw byte. */
const TARGET = /^[\x21\x22\x24-\x7e]+$/;
const TARGET_FAULT =
  'The request target has a fragment, a space, a control or a non-ASCII character.';
const FORBIDDEN_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

interface FramingFields {
  host: string | null;
  contentLength: string | null;
  transferEncoding: string | null;
  expect: string | null;
  hasConnection: boolean;
}

/** One pass; the length of a name rules out nearly every line before a string is made. */
function readFramingFields(fields: readonly string[]): FramingFields {
  const framing: FramingFields = {
    host: null,
    contentLength: null,
    transferEncoding: null,
    expect: null,
    hasConnection: false,
  };
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? '';
    const value = fields[index + 1] ?? '';
    if (!TOKEN.test(name)) throw fault('A field name is no token.');
    if (FORBIDDEN_IN_VALUE.test(value)) throw fault('A field value has a control character.');
    switch (name.length) {
      case 4:
      case 6:
      case 10:
      case 14:
      case 17:
        takeFramingField(framing, name, value);
        break;
      default:
    }
  }
  return framing;
}

/** Repeated fields are refused even when equal: the next reader may take the other one. */
function takeFramingField(framing: FramingFields, name: string, value: string): void {
  switch (normalizeFieldName(name)) {
    case 'host':
      if (framing.host !== null) throw fault('The request has more than one Host.');
      framing.host = value;
      break;
    case 'content-length':
      if (framing.contentLength !== null || name.includes('_')) {
        throw fault('The request has more than one Content-Length, or one spelled with _.');
      }
      framing.contentLength = value;
      break;
    case 'transfer-encoding':
      if (framing.transferEncoding !== null || name.includes('_')) {
        throw fault('The request has more than one Transfer-Encoding, or one spelled with _.');
      }
      framing.transferEncoding = value;
      break;
    case 'expect':
      if (framing.expect !== null || value.toLowerCase() !== '100-continue') {
        throw fault('Expect may only be 100-continue.');
      }
      framing.expect = value;
      break;
    case 'connection':
      framing.hasConnection = true;
      break;
    default:
  }
}

function bodyOf(
  framing: FramingFields,
  isHttp10: boolean,
): Pick<RequestFraming, 'bodyKind' | 'contentLength'> {
  const { contentLength, transferEncoding } = framing;
  if (transferEncoding !== null) {
    if (isHttp10) throw fault('HTTP/1.0 has no Transfer-Encoding.');
    if (contentLength !== null)
      throw fault('Content-Length and Transfer-Encoding exclude each other.');
    if (transferEncoding.toLowerCase() !== 'chunked') {
      throw fault('The only transfer coding accepted is chunked.');
    }
    return { bodyKind: 'chunked', contentLength: null };
  }
  if (contentLength === null) return { bodyKind: 'none', contentLength: null };
  if (!/^[0-9]+$/.test(contentLength) || !Number.isSafeInteger(Number(contentLength))) {
    throw fault('Content-Length is no number.');
  }
  return { bodyKind: 'length', contentLength: Number(contentLength) };
}

function fault(message: string): Refusal {
  return new Refusal('bad_request', { message });
}
