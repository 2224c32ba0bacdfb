/**
 * `Content-Encoding` of a message (RFC 9110 8.4), and the field lines that are about the coded bytes and
 * so not true any more once they were decoded. Pure; flat name, value arrays.
 */
import { fieldValues } from './field-list.ts';

/** In the order they were applied, lower case, without `identity`; empty for a body as it is. */
export function contentCodings(fields: readonly string[]): readonly string[] {
  const values = fieldValues(fields, 'content-encoding');
  if (values.length === 0) return values;
  return values
    .flatMap((value) => value.split(','))
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '' && coding !== 'identity');
}

/** RFC 9530, RFC 3230, RFC 1864; the length counts coded bytes. */
const ABOUT_CODED_BYTES: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-length',
  'content-digest',
  'repr-digest',
  'digest',
  'content-md5',
]);

/** Of a head or of trailers: the same without what was about the coded bytes; a strong `ETag` made weak. */
export function decodedFields(fields: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? '';
    const value = fields[index + 1] ?? '';
    const lower = name.toLowerCase();
    if (ABOUT_CODED_BYTES.has(lower)) continue;
    const isStrong = lower === 'etag' && value.startsWith('"');
    kept.push(name, isStrong ? `W/${value}` : value);
  }
  return kept;
}
