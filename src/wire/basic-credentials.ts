/**
 * Basic credentials (RFC 7617) and the two ways a sandbox authenticates to the proxy (RFC 6750 besides).
 * Reads both base64 alphabets, with or without padding: what an origin might decode, a placeholder search
 * must decode too. Text is UTF-8. Nothing here compares or keeps a credential.
 */

interface BasicCredentials {
  readonly username: string;
  readonly password: string;
}

/** What stands in base64 behind `Basic`, in any case; some APIs put a token there without a colon. */
export function readBasicText(value: string): string | undefined {
  const encoded = readSchemeParameter(value, 'basic');
  if (encoded === undefined || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(encoded)) return undefined;
  return Buffer.from(encoded, 'base64').toString('utf8');
}

/** `undefined` when the field value is not `Basic` with a colon inside. */
export function readBasicCredentials(value: string): BasicCredentials | undefined {
  const text = readBasicText(value);
  return text === undefined ? undefined : splitBasicText(text);
}

/** `undefined` without a colon. */
export function splitBasicText(text: string): BasicCredentials | undefined {
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
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
