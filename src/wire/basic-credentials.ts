/**
 * Basic credentials (RFC 7617) and the two ways a sandbox authenticates to the proxy (RFC 6750 besides).
 * Reads both base64 alphabets, with or without padding: what an origin might decode, a placeholder search
 * must decode too. Text is UTF-8. Nothing here compares or keeps a credential.
 */

interface BasicCredentials {
  readonly username: string;
  readonly password: string;
}

/** `undefined` when the field value is not `Basic` with a colon inside; the scheme in any case. */
export function readBasicCredentials(value: string): BasicCredentials | undefined {
  const encoded = readSchemeParameter(value, 'basic');
  if (encoded === undefined || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(encoded)) return undefined;
  const decoded = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon < 0) return undefined;
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

/** The whole field value, `Basic …`. */
export function formatBasicCredentials(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}

/** `Basic anything:TOKEN` or `Bearer TOKEN`; `undefined` for anything else. */
export function readProxyAuthorization(value: string): { readonly token: string } | undefined {
  const token = readBasicCredentials(value)?.password ?? readSchemeParameter(value, 'bearer');
  return token !== undefined && /^[\x21-\x7e]+$/.test(token) ? { token } : undefined;
}

function readSchemeParameter(value: string, lowerScheme: string): string | undefined {
  const { length } = lowerScheme;
  const separator = value.charCodeAt(length);
  if (separator !== 0x20 && separator !== 0x09) return undefined;
  if (value.slice(0, length).toLowerCase() !== lowerScheme) return undefined;
  return value.slice(length).trim();
}
