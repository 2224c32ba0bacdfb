/**
 * What a secret may set and what value a place can carry (spec section 6). Asked when an admin gives auth
 * or a value, so that the request path has nothing left to refuse. Messages never contain the value.
 */
import { clientCertificateFault } from '../ca/client-certificate.ts';
import { unreachable } from '../kernel/assert.ts';
import type { Hidden } from '../kernel/hidden.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Placement } from '../secrets/auth.ts';
import { normalizeFieldName } from '../wire/field-list.ts';
import { isConnectionOwned, isHopByHop } from '../wire/hop-by-hop.ts';

/** Is `name` a field name that auth rules, companions and `also_strip` may name? */
export function isSettableField(name: string): boolean {
  if (!/^[!#$%&'*+.^`|~0-9A-Za-z_-]+$/.test(name)) return false;
  const normalized = normalizeFieldName(name);
  if (isHopByHop(normalized) || isConnectionOwned(normalized)) return false;
  if (NEVER.has(normalized)) return false;
  return !normalized.startsWith('content-') && !normalized.startsWith('sec-websocket-');
}

/** Why `value` cannot be carried by `placement`, as a sentence with a hint; `null` when it can. */
export function placeableFault(value: Hidden, placement: Placement): string | null {
  const text = value.reveal();
  if (!text.isWellFormed()) return 'The value is not valid Unicode text.';
  if (placement.type === 'mtls') return clientCertificateFault(text);
  if (Buffer.byteLength(text) > FIXED.placeableValueBytesMax) {
    return `The value is longer than ${FIXED.placeableValueBytesMax} bytes, more than ${placeName(placement)} can carry.`;
  }
  if (text === '') return 'The value is empty.';
  if (/[\r\n]$/.test(text)) return 'The value ends with a newline; send it without.';
  if (/[\u0000-\u001f\u007f]/.test(text)) {
    return `The value contains a control character, which ${placeName(placement)} cannot carry.`;
  }
  if (text.trim() !== text) return 'The value begins or ends with white space.';
  return null;
}

/** Normalized; beside hop-by-hop, `Proxy-*`, `Content-*`, `Sec-WebSocket-*` and what the connection owns. */
const NEVER: ReadonlySet<string> = new Set(['accept-encoding', 'cookie', 'range', 'trailer']);

function placeName(placement: Placement): string {
  switch (placement.type) {
    case 'query':
      return 'a query';
    case 'path':
      return 'a path';
    case 'bearer':
    case 'basic':
    case 'api-key':
    case 'custom':
      return 'a header';
    case 'mtls':
      return 'a handshake';
    default:
      return unreachable(placement);
  }
}
