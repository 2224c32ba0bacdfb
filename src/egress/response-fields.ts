/**
 * The few fields of a response that concern the connection it came on. Pure; reads flat name, value
 * arrays; called once a response, so lengths are compared before anything is lowered.
 */

/** False for a transfer coding other than exactly one `chunked` (RFC 9112 6.1, 6.3). */
export function isFramingKnown(fields: readonly string[]): boolean {
  let codings = 0;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    if (name.length !== 17 || name.toLowerCase() !== 'transfer-encoding') continue;
    codings += 1;
    if (codings > 1 || (fields[i + 1] ?? '').trim().toLowerCase() !== 'chunked') return false;
  }
  return true;
}

/** NTLM and Negotiate authenticate the connection, not the request (RFC 4559 section 6). */
export function isConnectionBound(fields: readonly string[]): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    if (name.length !== 16 && name.length !== 13) continue;
    const lower = name.toLowerCase();
    if (lower !== 'www-authenticate' && lower !== 'authorization') continue;
    if (/(?:^|,)\s*(?:NTLM|Negotiate)\b/i.test(fields[i + 1] ?? '')) return true;
  }
  return false;
}

/** `Keep-Alive: timeout=N` in milliseconds; undefined when the origin announced none. */
export function readKeepAliveMs(fields: readonly string[]): number | undefined {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    if (name.length !== 10 || name.toLowerCase() !== 'keep-alive') continue;
    const match = /(?:^|,)\s*timeout=(\d{1,6})/i.exec(fields[i + 1] ?? '');
    if (match?.[1] !== undefined) return Number(match[1]) * 1_000;
  }
  return undefined;
}
