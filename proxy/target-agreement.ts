/**
 * Does the request agree with where its connection goes (spec section 5.2)? `Host` and an absolute-form
 * target must name the authority of the CONNECT (or of the URL); methods that must not travel are
 * refused here as well.
 */
import { Refusal } from '../src/kernel/errors.ts';
import { parseAuthority } from '../src/wire/host.ts';
import type { Authority } from '../src/wire/host.ts';
import type { RequestFraming } from '../src/wire/request-framing.ts';
import { parseRequestTarget } from '../src/wire/request-target.ts';

interface Agreed {
  readonly target: Authority;
  readonly scheme: 'https' | 'http';
}

/** TRACE echoes credentials (RFC 9110 9.3.8); CONNECT inside a tunnel would be a tunnel we do not see. */
export function refuseMethod(method: string): void {
  if (method === 'TRACE' || method === 'CONNECT') throw new Refusal('method_not_allowed');
}

/**
 * The target in origin-form (or `*`). Throws `misdirected_request` when `Host` or the absolute-form
 * authority names another one, `bad_request` when `Host` is missing on HTTP/1.1.
 */
export function agreeOnTarget(
  request: { readonly method: string; readonly target: string; readonly httpVersion: string },
  framing: RequestFraming,
  agreed: Agreed,
): string {
  if (framing.host === null) {
    if (request.httpVersion !== '1.0') {
      throw new Refusal('bad_request', { message: 'An HTTP/1.1 request needs a Host field.' });
    }
  } else {
    agreeOnAuthority(parseAuthority(framing.host, defaultPort(agreed)), agreed);
  }
  const target = parseRequestTarget(request.target, request.method);
  if (target.form === 'asterisk') return '*';
  if (target.form === 'origin') return target.target;
  if (target.scheme !== agreed.scheme) throw new Refusal('misdirected_request');
  agreeOnAuthority(target.authority, agreed);
  return target.target;
}

function agreeOnAuthority({ host, port }: Authority, agreed: Agreed): void {
  if (host.text !== agreed.target.host.text || port !== agreed.target.port) {
    throw new Refusal('misdirected_request');
  }
}

function defaultPort(agreed: Agreed): number {
  return agreed.scheme === 'https' ? 443 : 80;
}
