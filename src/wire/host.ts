/**
 * The canonical spelling of a host: what matching, SNI, `Host` and logs use. One host, one text: lower
 * case, UTS 46 A-labels (RFC 5891), no trailing dot, IPv4 out of any number form that `inet_aton` or a URL
 * parser takes, v4-mapped IPv6 as IPv4, RFC 5952 for the rest. Underscores and single labels are legal.
 * What has no single reading is `bad_request` (I6): zone ids, percent-encoding, user info, empty labels.
 */
import { domainToASCII, domainToUnicode } from 'node:url';
import { Refusal } from '../kernel/errors.ts';
import { FIXED } from '../kernel/limits.ts';
import { addressOfWords, readAddress } from './address.ts';

export interface Host {
  readonly kind: 'name' | 'ipv4' | 'ipv6';
  /** Canonical text, IPv6 without brackets. */
  readonly text: string;
}

export interface Authority {
  readonly host: Host;
  readonly port: number;
}

/** `host:port` as it goes into `Host`: brackets for IPv6, the port left out when it is the default. */
export function formatAuthority(authority: Authority, defaultPort: number): string {
  const { host, port } = authority;
  const name = host.kind === 'ipv6' ? `[${host.text}]` : host.text;
  return port === defaultPort ? name : `${name}:${port}`;
}

/** A host name, IPv4 or IPv6 (with or without brackets). Throws Refusal `bad_request`. */
export function parseHost(text: string): Host {
  if (text.includes(':') || text.startsWith('[')) return parseIpv6Host(text);
  const plain = isPlainName(text) ? text : foldName(text);
  const name = plain.endsWith('.') ? plain.slice(0, -1) : plain;
  if (endsInNumber(name)) {
    const value = readLooseIpv4(name);
    if (value === undefined) throw fault('The host ends in a number but is no IPv4 address.');
    return { kind: 'ipv4', text: addressOfWords(4, [0, 0, 0, value]).text };
  }
  checkLabels(name);
  return { kind: 'name', text: name };
}

/**
 * `host:port` of a CONNECT target, an absolute-form URL or a `Host` field (RFC 9112 3.2.3, 3.2.2; RFC
 * 9110 7.2). `defaultPort: null` demands an explicit port. Throws Refusal `bad_request`.
 */
export function parseAuthority(text: string, defaultPort: number | null): Authority {
  if (text.length > FIXED.connectAuthorityBytesMax) throw fault('The authority is too long.');
  const hostEnd = text.startsWith('[') ? text.indexOf(']') + 1 : colonOrEnd(text);
  const hostText = text.slice(0, hostEnd);
  if (hostText === '') throw fault('The authority names no host.');
  const rest = text.slice(hostEnd);
  if (rest === '') {
    if (defaultPort === null) throw fault('The authority names no port.', PORT_HINT);
    return { host: parseHost(hostText), port: defaultPort };
  }
  return { host: parseHost(hostText), port: parsePort(rest) };
}

const PORT_HINT = 'Write CONNECT host:port, IPv6 addresses in brackets.';

function fault(message: string, hint?: string): Refusal {
  return new Refusal('bad_request', hint === undefined ? { message } : { message, hint });
}

function colonOrEnd(text: string): number {
  const colon = text.indexOf(':');
  return colon < 0 ? text.length : colon;
}

/** `:1` to `:65535`, without leading zeros: `:0443` and an empty port are read differently by others. */
function parsePort(text: string): number {
  if (!/^:[1-9][0-9]{0,4}$/.test(text)) throw fault('The port is not a number.', PORT_HINT);
  const port = Number(text.slice(1));
  if (port > 65_535) throw fault('The port is above 65535.', PORT_HINT);
  return port;
}

function parseIpv6Host(text: string): Host {
  const isBracketed = text.startsWith('[') && text.endsWith(']');
  const address = readAddress(isBracketed ? text.slice(1, -1) : text);
  // `[127.0.0.1]` is no form of RFC 3986; without the colon test it would pass as IPv4.
  if (address === undefined || !text.includes(':')) {
    throw fault('The host is no IPv6 address (zone ids are refused).');
  }
  return { kind: address.family === 4 ? 'ipv4' : 'ipv6', text: address.text };
}

/** Already canonical as far as letters go: the ordinary case, decided without building a URL. */
function isPlainName(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const isPlain =
      (code >= 0x61 && code <= 0x7a) ||
      (code >= 0x30 && code <= 0x39) ||
      code === 0x2d ||
      code === 0x2e ||
      code === 0x5f;
    if (!isPlain) return false;
  }
  return !text.includes('xn--');
}

/**
 * Case folding and UTS 46. `domainToASCII` is a URL host setter: it drops tabs, stops at `/` and decodes
 * `%`, so everything but letters, digits, `-`, `_`, `.` and non-ASCII is refused before it sees it. Its
 * result is checked again because full-width and ignored code points turn into ASCII there.
 */
function foldName(text: string): string {
  if (/[^-._a-zA-Z0-9\u0080-\uffff]/.test(text)) throw fault('The host has a forbidden character.');
  const folded = /[\u0080-\uffff]/.test(text) ? domainToASCII(text) : text.toLowerCase();
  if (folded === '') throw fault('The host is no valid internationalized name.');
  if (/[^-._a-z0-9]/.test(folded)) throw fault('The host has a forbidden character.');
  // An A-label must decode and encode back to itself, or it is a second spelling of some other name.
  if (folded.includes('xn--') && domainToASCII(domainToUnicode(folded)) !== folded) {
    throw fault('The host has an invalid internationalized label.');
  }
  return folded;
}

/** The rule of URL parsers: a last label of digits, or hexadecimal, makes the whole an IPv4 address. */
function endsInNumber(name: string): boolean {
  const last = name.charCodeAt(name.length - 1);
  const isHexLetter = last >= 0x61 && last <= 0x66;
  const isDigit = last >= 0x30 && last <= 0x39;
  if (!isDigit && !isHexLetter && last !== 0x78) return false;
  return /^(?:[0-9]+|0x[0-9a-f]*)$/.test(name.slice(name.lastIndexOf('.') + 1));
}

/** `inet_aton`: one to four parts, each decimal, octal or hexadecimal, the last one fills the rest. */
function readLooseIpv4(name: string): number | undefined {
  const parts = name.split('.');
  if (parts.length > 4) return undefined;
  let value = 0;
  for (const [index, part] of parts.entries()) {
    const number = readLooseNumber(part);
    const isLast = index === parts.length - 1;
    const bound = isLast ? 256 ** (4 - index) : 256;
    if (number === undefined || number >= bound) return undefined;
    value += isLast ? number : number * 256 ** (3 - index);
  }
  return value;
}

function readLooseNumber(part: string): number | undefined {
  if (/^0x[0-9a-f]*$/.test(part)) return part.length === 2 ? 0 : Number.parseInt(part.slice(2), 16);
  if (/^0[0-7]*$/.test(part)) return Number.parseInt(part, 8);
  return /^[1-9][0-9]*$/.test(part) ? Number.parseInt(part, 10) : undefined;
}

/** RFC 1035 section 2.3.4: labels of 1 to 63 octets, 253 in all. */
function checkLabels(name: string): void {
  if (name.length > 253) throw fault('The host is longer than 253 characters.');
  let labelStart = 0;
  for (let index = 0; index <= name.length; index++) {
    if (index < name.length && name.charCodeAt(index) !== 0x2e) continue;
    if (index === labelStart) throw fault('The host has an empty label.');
    if (index - labelStart > 63) throw fault('The host has a label of more than 63 characters.');
    labelStart = index + 1;
  }
}
