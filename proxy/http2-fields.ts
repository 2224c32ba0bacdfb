/**
 * Field lines in the shapes Node's HTTP/2 takes: a flat array for a response head, objects for 1xx and
 * trailers. Names in lower case (RFC 9113 8.2.1); lines that HTTP/2 cannot carry are left out.
 */
import type { OutgoingHttpHeaders } from 'node:http2';

/** Connection-specific (RFC 9113 8.2.2). */
const FORBIDDEN = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'te',
]);

/** Node joins the lines with NUL and counts on there being none in a value. */
const UNSAFE_VALUE = /[\0\r\n]/;

/** A response head: `:status` first, then the lines in order, with duplicates. */
export function fieldLines(status: number, fields: readonly string[]): string[] {
  const lines = [':status', String(status)];
  forEachLine(fields, (name, value) => {
    // RFC 9110 8.6 and 15.3.6: no length where there is no body to have one.
    if (name === 'content-length' && (status === 204 || status === 205)) return;
    lines.push(name, value);
  });
  return lines;
}

/** The head of a 1xx. */
export function informationObject(status: number, fields: readonly string[]): OutgoingHttpHeaders {
  return { ':status': status, ...fieldObject(fields) };
}

/** Trailers, as an object: duplicates become arrays. */
export function fieldObject(fields: readonly string[]): OutgoingHttpHeaders {
  const lines: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  forEachLine(fields, (name, value) => {
    (lines[name] ??= []).push(value);
  });
  return lines;
}

function forEachLine(
  fields: readonly string[],
  take: (lowerName: string, value: string) => void,
): void {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = (fields[i] ?? '').toLowerCase();
    const value = fields[i + 1] ?? '';
    if (name.startsWith(':') || FORBIDDEN.has(name) || UNSAFE_VALUE.test(value)) continue;
    take(name, value);
  }
}
