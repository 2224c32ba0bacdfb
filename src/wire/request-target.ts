/**
 * The four forms of a request target (RFC 9112 section 3.2). Origin-form passes as sent; absolute-form is
 * split into authority and the origin-form that goes upstream; asterisk-form belongs to OPTIONS alone.
 * Authority-form, other schemes, user info and fragments are `bad_request`.
 */
import { Refusal } from '../kernel/errors.ts';
import type { Authority } from './host.ts';
import { parseAuthority } from './host.ts';

type RequestTarget =
  | { readonly form: 'origin'; readonly target: string }
  | {
      readonly form: 'absolute';
      readonly scheme: 'http' | 'https';
      readonly authority: Authority;
      /** The origin-form of the same target: what is sent to the origin. */
      readonly target: string;
    }
  | { readonly form: 'asterisk' };

/** `method` decides whether `*` is legal. Throws Refusal `bad_request`. */
export function parseRequestTarget(target: string, method: string): RequestTarget {
  if (target.includes('#')) throw fault('The request target has a fragment.');
  if (target.startsWith('/')) return { form: 'origin', target };
  if (target === '*') {
    if (method !== 'OPTIONS') throw fault('Only OPTIONS may have the target *.');
    return { form: 'asterisk' };
  }
  return parseAbsolute(target, method);
}

function parseAbsolute(target: string, method: string): RequestTarget {
  const parts = /^(https?):\/\/([^/?]*)(.*)$/is.exec(target);
  const [, schemeText, authorityText, rest] = parts ?? [];
  if (schemeText === undefined || authorityText === undefined || rest === undefined) {
    throw fault('The request target is neither a path nor an http or https URL.');
  }
  const scheme = schemeText.toLowerCase() === 'https' ? 'https' : 'http';
  const authority = parseAuthority(authorityText, scheme === 'https' ? 443 : 80);
  return { form: 'absolute', scheme, authority, target: originForm(rest, method) };
}

/** RFC 9112 3.2.1 and 3.2.4: an empty path is `/`, for OPTIONS without a query `*`. */
function originForm(rest: string, method: string): string {
  if (rest === '') return method === 'OPTIONS' ? '*' : '/';
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function fault(message: string): Refusal {
  return new Refusal('bad_request', { message });
}
