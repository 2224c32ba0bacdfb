/**
 * The formats of single settings as zod schemas: what is accepted, what it becomes, and the words of the
 * error ("expected …"). They never say what was given: `load-settings.ts` adds that, or hides it.
 */
import { z } from 'zod';
import type { ListenAddress, PortRange } from './settings.ts';

/** A text that `read` turns into a T, or `expected` is the error. */
function textFormat<T>(expected: string, read: (text: string) => T | undefined) {
  return z.union([z.string(), z.number()], { error: expected }).transform((given, context): T => {
    const result = read(String(given).trim());
    if (result !== undefined) return result;
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

export function oneOf<const T extends readonly [string, ...string[]]>(words: T) {
  return z.enum(words, { error: `expected one of ${words.join(', ')}` });
}

export const text = z.string({ error: 'expected text' }).min(1, 'expected text that is not empty');
export const flag = z.boolean({ error: 'expected true or false' });

/** A whole number, `min` or more. */
export function wholeNumber(min: number) {
  const expected = `expected a whole number, ${min} or more`;
  return z
    .number({ error: expected })
    .int(expected)
    .min(min, expected)
    .max(Number.MAX_SAFE_INTEGER);
}

function readPort(digits: string): number | undefined {
  if (!/^\d{1,5}$/.test(digits)) return undefined;
  const port = Number(digits);
  return port <= 65_535 ? port : undefined;
}

/** `host:port`, `[v6]:port`, `*:port` or a port alone (then on 127.0.0.1). */
export const listenAddress = textFormat(
  'expected host:port, [IPv6]:port, *:port or a port, as 127.0.0.1:3128',
  (given): ListenAddress | undefined => {
    const match = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|(\*)|([A-Za-z0-9._-]+)):)?(\d{1,5})$/.exec(given);
    const port = readPort(match?.[4] ?? '');
    if (match === null || port === undefined) return undefined;
    const [, v6, every, name] = match;
    if (v6 !== undefined && !isIpv6(v6)) return undefined;
    if (name !== undefined && /^[\d.]+$/.test(name) && !isIpv4(name)) return undefined;
    return { host: every === undefined ? (v6 ?? name ?? '127.0.0.1') : null, port };
  },
);

/** `http://host:port` or `https://…` and nothing behind it. */
function readBareUrl(given: string): string | undefined {
  if (!URL.canParse(given)) return undefined;
  const { protocol, hostname, pathname, search, hash, username, password, host } = new URL(given);
  const isBare = [search, hash, username, password].every((part) => part === '');
  if (!isBare || pathname !== '/' || hostname === '') return undefined;
  return /^https?:$/.test(protocol) ? `${protocol}//${host}` : undefined;
}

/** Clients get it with their token put in front of the host. */
export const proxyUrl = textFormat(
  'expected http://host:port or https://host:port, as http://sallyport.internal.example:3128',
  readBareUrl,
);

/** A password does not stand in a URL, nor in a file of settings. */
export const parentProxyUrl = textFormat(
  'expected http://host:port or https://host:port without user and password (egress.parent_proxy.username, egress.parent_proxy.password_secret)',
  readBareUrl,
);

/** A port or a range of ports, both ends included. */
export const portRange = textFormat(
  'expected a port or a range like 1024-65535',
  (given): PortRange | undefined => {
    const match = /^(\d+)(?:\s*-\s*(\d+))?$/.exec(given);
    const from = readPort(match?.[1] ?? '');
    const to = readPort(match?.[2] ?? match?.[1] ?? '');
    if (from === undefined || to === undefined || from < 1 || from > to) return undefined;
    return { from, to };
  },
);

const ipv4 = z.ipv4();
const ipv6 = z.ipv6();
const cidr = z.union([z.cidrv4(), z.cidrv6()]);
const isIpv4 = (given: string): boolean => ipv4.safeParse(given).success;
const isIpv6 = (given: string): boolean => ipv6.safeParse(given).success;

/** A CIDR or one address. */
export const addressRange = textFormat(
  'expected a CIDR like 10.0.0.0/8 or fd00::/8, or one IP address',
  (given) => (isIpv4(given) || isIpv6(given) || cidr.safeParse(given).success ? given : undefined),
);

function isAddressWithPort(given: string): boolean {
  if (isIpv4(given) || isIpv6(given)) return true;
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(given);
  if (match === null) return false;
  const [, v6, v4, digits = ''] = match;
  if ((readPort(digits) ?? 0) < 1) return false;
  return v6 === undefined ? isIpv4(v4 ?? '') : isIpv6(v6);
}

/** What `egress.hosts` maps a name to, and how a DNS server is named. */
export const addressWithPort = textFormat(
  'expected an IP address, address:port or [IPv6]:port',
  (given) => (isAddressWithPort(given) ? given : undefined),
);

/** A host name as `egress.hosts` has it on its left side. */
export const hostName = textFormat('expected a host name', (given) =>
  /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})$/.test(given) ? given.toLowerCase() : undefined,
);

/** What a certificate can be for. */
export const serverName = textFormat('expected a host name or an IP address', (given) =>
  isIpv6(given) || hostName.safeParse(given).success ? given.toLowerCase() : undefined,
);

/** An exact host or `*.suffix`. */
export const hostPattern = textFormat('expected a host name or *.suffix', (given) =>
  /^(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,250})$/.test(given) || isIpv6(given)
    ? given.toLowerCase()
    : undefined,
);

/** What does not go through the parent proxy. */
export const bypassEntry = textFormat(
  'expected a host name, *.suffix, an IP address or a CIDR like 10.0.0.0/8',
  (given) => {
    const isRange = isIpv4(given) || isIpv6(given) || cidr.safeParse(given).success;
    return isRange || hostPattern.safeParse(given).success ? given.toLowerCase() : undefined;
  },
);

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A duration with its unit, in milliseconds. */
export const duration = z
  .string({ error: 'expected a duration like 60s, 5m or 500ms' })
  .transform((given, context): number => {
    const match = /^(\d{1,12})\s*(ms|s|m|h|d)$/.exec(given.trim());
    const unit = UNITS[match?.[2] ?? ''];
    if (match !== null && unit !== undefined) return Number(match[1]) * unit;
    context.addIssue({ code: 'custom', message: 'expected a duration like 60s, 5m or 500ms' });
    return z.NEVER;
  });
