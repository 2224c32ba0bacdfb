/**
 * The head of an HTTP/2 request as a head that every later step can read (RFC 9113 section 8.3): pseudo
 * fields taken out, `:authority` in the place of `Host`, cookie crumbs joined (8.2.3). Pure. Already refused
 * by the runtime, and invisible here: upper-case and misplaced names, missing, repeated or unknown pseudo
 * fields, connection-specific fields, a `Content-Length` that the frames belie. Field lines whose value has
 * a control character are dropped by it without a word: they go nowhere.
 */
import { Refusal } from '../kernel/errors.ts';
import { parseAuthority } from './host.ts';

export interface Http2Head {
  readonly method: string;
  /** `:path`; of a CONNECT `:authority`. */
  readonly target: string;
  /** Flat name, value array with `host` first. */
  readonly fields: readonly string[];
  /** Bytes of names and values as they came, uncompressed. */
  readonly bytes: number;
  /** Why it goes no further. */
  readonly refusal: Refusal | null;
}

interface Pseudo {
  method: string;
  scheme: string;
  path: string;
  authority: string | null;
}

/** Never throws: also what is refused must be described. `lines`: flat name, value array as received. */
export function readHttp2Head(
  lines: readonly string[],
  expected: { readonly scheme: string; readonly headBytesMax: number },
): Http2Head {
  const pseudo: Pseudo = { method: '', scheme: '', path: '', authority: null };
  const fields: string[] = [];
  let bytes = 0;
  let cookieAt = -1;
  let refusal: Refusal | null = null;
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const name = lines[i] ?? '';
    const value = lines[i + 1] ?? '';
    bytes += name.length + value.length;
    if (name.startsWith(':')) {
      if (!takePseudo(pseudo, name, value)) refusal ??= fault(`The request has a field ${name}.`);
    } else if (name === 'cookie' && cookieAt >= 0) {
      fields[cookieAt] += `; ${value}`;
    } else {
      if (name === 'cookie') cookieAt = fields.length + 1;
      fields.push(name, value);
    }
  }
  const isConnect = pseudo.method === 'CONNECT';
  refusal ??= checkPseudo(pseudo, isConnect, expected.scheme);
  if (bytes > expected.headBytesMax) refusal = new Refusal('header_too_large');
  refusal ??= agreeOnHost(pseudo.authority, fields);
  return {
    method: pseudo.method,
    target: isConnect ? (pseudo.authority ?? '') : pseudo.path,
    fields: withHost(pseudo.authority, fields),
    bytes,
    refusal,
  };
}

function takePseudo(pseudo: Pseudo, name: string, value: string): boolean {
  switch (name) {
    case ':method':
      pseudo.method = value;
      return true;
    case ':scheme':
      pseudo.scheme = value;
      return true;
    case ':path':
      pseudo.path = value;
      return true;
    case ':authority':
      pseudo.authority = value;
      return true;
    default:
      return false;
  }
}

function checkPseudo(pseudo: Pseudo, isConnect: boolean, scheme: string): Refusal | null {
  if (pseudo.method === '') return fault('The request has no :method.');
  if (isConnect) return null;
  if (pseudo.scheme !== scheme) return fault(`The :scheme of the request is not ${scheme}.`);
  return pseudo.path === '' ? fault('The request has no :path.') : null;
}

/** RFC 9113 8.3.1: a `host` beside `:authority` must name the same. */
function agreeOnHost(authority: string | null, fields: readonly string[]): Refusal | null {
  if (authority === null) return null;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const host = fields[i + 1] ?? '';
    if (fields[i] !== 'host' || host === authority) continue;
    if (!isSameAuthority(host, authority)) return new Refusal('misdirected_request');
  }
  return null;
}

function isSameAuthority(one: string, other: string): boolean {
  try {
    const [a, b] = [parseAuthority(one, 443), parseAuthority(other, 443)];
    return a.host.text === b.host.text && a.port === b.port;
  } catch {
    return false;
  }
}

function withHost(authority: string | null, fields: readonly string[]): readonly string[] {
  if (authority === null) return fields;
  const named = ['host', authority];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i] !== 'host') named.push(fields[i] ?? '', fields[i + 1] ?? '');
  }
  return named;
}

function fault(message: string): Refusal {
  return new Refusal('bad_request', { message });
}
