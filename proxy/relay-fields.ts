/** What the relay changes on a head: its own credentials in, the client's proxy fields out. Pure. */
import type { Hidden } from '../src/kernel/hidden.ts';

/** The value of `Proxy-Authorization` (RFC 7617) for a sandbox token. */
export function basicProxyCredentials(token: Hidden): string {
  return `Basic ${Buffer.from(`sandbox:${token.reveal()}`, 'latin1').toString('base64')}`;
}

const DROPPED = new Set(['proxy-authorization', 'proxy-connection', 'connection', 'keep-alive']);

/** A flat name, value array without what belongs to the client's connection. Order, case, duplicates stay. */
export function passableFields(fields: readonly string[]): string[] {
  const passed: string[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const name = fields[at] ?? '';
    if (!DROPPED.has(name.toLowerCase())) passed.push(name, fields[at + 1] ?? '');
  }
  return passed;
}
