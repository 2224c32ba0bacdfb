/**
 * Asks the origin for a body as it is (RFC 9110 12.5.3): what is to be masked must be readable. The
 * client's `Accept-Encoding` says `identity` where it stood, or at the end; its copies go.
 */
import { normalizeFieldName } from '../wire/field-list.ts';

/** Flat name, value array; changed in place and returned. */
export function askForIdentity(fields: string[]): string[] {
  let kept = 0;
  let isAsked = false;
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? '';
    let value = fields[index + 1] ?? '';
    if (name.length === ACCEPT_ENCODING.length && normalizeFieldName(name) === ACCEPT_ENCODING) {
      if (isAsked || name.includes('_')) continue;
      isAsked = true;
      value = 'identity';
    }
    fields[kept] = name;
    fields[kept + 1] = value;
    kept += 2;
  }
  fields.length = kept;
  if (!isAsked) fields.push('Accept-Encoding', 'identity');
  return fields;
}

const ACCEPT_ENCODING = 'accept-encoding';
