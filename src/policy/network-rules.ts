/**
 * The compiled `network` of a sandbox: host entries and range entries of both lists, in the admin's
 * order. An entry is a host, `*.suffix` (any depth, never the apex), an address or a CIDR, each with an
 * optional `:port` (IPv6 then in brackets). `0.0.0.0/0` means every address, IPv6 too.
 */
import type { NetworkConfig } from '../sandboxes/sandbox.ts';
import { embeddedIpv4s, type Address } from '../wire/address.ts';
import { parseHost, type Host } from '../wire/host.ts';
import { isInCidr, readCidr, type Cidr } from '../wire/ranges.ts';
import { matchesHost, parseHostPattern, type HostPattern } from './host-pattern.ts';

export interface NetworkEntry {
  /** As the admin wrote it, canonicalized. */
  readonly text: string;
  readonly host: HostPattern | null;
  readonly range: Cidr | null;
  /** `null`: every port. */
  readonly port: number | null;
  /** `0.0.0.0/0`: every address of both families, so also every name before it is resolved. */
  readonly isEverything: boolean;
}

export interface NetworkRules {
  readonly allow: readonly NetworkEntry[];
  readonly deny: readonly NetworkEntry[];
}

/** Throws a plain Error whose message is safe to show. */
export function parseNetworkEntry(text: string): NetworkEntry {
  const { target, port } = splitPort(text.trim());
  const suffix = port === null ? '' : `:${port}`;
  const range = readRange(target);
  if (range !== undefined) {
    const isHost = range.prefix === (range.family === 4 ? 32 : 128) && !target.includes('/');
    const canonical = isHost ? range.text.slice(0, range.text.lastIndexOf('/')) : range.text;
    const bracketed = port !== null && range.family === 6 ? `[${canonical}]` : canonical;
    const isEverything = range.family === 4 && range.prefix === 0;
    return { text: bracketed + suffix, host: null, range, port, isEverything };
  }
  if (target.includes('/')) {
    throw new Error(`${JSON.stringify(text)}: expected a host, *.suffix, an address or a CIDR`);
  }
  const host = parseHostPattern(target, 'any');
  return { text: host.text + suffix, host, range: null, port, isEverything: false };
}

/** Throws as `parseNetworkEntry`: stored entries were checked, so a fault here ends in no policy. */
export function compileNetworkRules(config: NetworkConfig): NetworkRules {
  return {
    allow: config.allowOut.map(parseNetworkEntry),
    deny: config.denyOut.map(parseNetworkEntry),
  };
}

/** Does the entry concern this port? */
export function coversPort(entry: NetworkEntry, port: number): boolean {
  return entry.port === null || entry.port === port;
}

/** The first host entry of the list for this host and port. */
export function readHostEntry(
  entries: readonly NetworkEntry[],
  host: Host,
  port: number,
): NetworkEntry | undefined {
  for (const entry of entries) {
    if (entry.host !== null && coversPort(entry, port) && matchesHost(entry.host, host)) {
      return entry;
    }
  }
  return undefined;
}

/** Does a range entry contain the address itself? What an allow entry asks. */
export function containsAddress(entry: NetworkEntry, address: Address): boolean {
  if (entry.range === null) return false;
  return entry.isEverything || isInCidr(address, entry.range);
}

/** The same, or an IPv4 address the IPv6 one leads to (NAT64, 6to4 …)? What a deny entry asks. */
export function reachesAddress(entry: NetworkEntry, address: Address): boolean {
  if (containsAddress(entry, address)) return true;
  const { range } = entry;
  if (range === null || address.family === 4) return false;
  return embeddedIpv4s(address).some((embedded) => isInCidr(embedded, range));
}

/** `host:port`, `[v6]:port`, `cidr:port`; a bare IPv6 text has several colons and no port. */
function splitPort(text: string): { target: string; port: number | null } {
  const bracketed = /^\[([^\]]*)\](\/\d+)?(?::(.*))?$/.exec(text);
  if (bracketed !== null) {
    const target = (bracketed[1] ?? '') + (bracketed[2] ?? '');
    if (!target.includes(':')) throw new Error(`${JSON.stringify(text)}: brackets are for IPv6`);
    return { target, port: bracketed[3] === undefined ? null : parsePort(bracketed[3], text) };
  }
  const colon = text.indexOf(':');
  if (colon < 0 || text.includes(':', colon + 1)) return { target: text, port: null };
  return { target: text.slice(0, colon), port: parsePort(text.slice(colon + 1), text) };
}

function parsePort(digits: string, text: string): number {
  const port = /^[1-9]\d{0,4}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > 65_535) {
    throw new Error(`${JSON.stringify(text)}: expected a port from 1 to 65535 after the colon`);
  }
  return port;
}

/** Only what is written as a canonical address or CIDR; other number forms are canonicalized as hosts. */
function readRange(target: string): Cidr | undefined {
  if (target.includes('/')) return readCidr(target);
  if (/^[a-z*]/i.test(target) && !target.includes(':')) return undefined;
  try {
    const { kind, text } = parseHost(target);
    return kind === 'name' ? undefined : readCidr(`${text}/${kind === 'ipv4' ? 32 : 128}`);
  } catch {
    // Not an address in any spelling: the caller parses it as a name and says what is wrong with it.
    return undefined;
  }
}
