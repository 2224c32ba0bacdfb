/**
 * Which API key a request shows: `X-API-Key: KEY`, or `Authorization: Bearer KEY` (RFC 6750). The first
 * wins where both stand.
 */
export function readApiKey(headers: Headers): string | null {
  const own = headers.get('x-api-key')?.trim();
  if (own) return own;
  const bearer = /^bearer +(\S+) *$/i.exec(headers.get('authorization') ?? '');
  return bearer?.[1] ?? null;
}
