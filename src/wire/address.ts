/**
 * An IP address in one spelling: dotted decimal, or RFC 5952 for IPv6, no zone, no brackets. A v4-mapped
 * address *is* its IPv4 address (that is what the kernel dials). IPv4 carried inside NAT64, 6to4, Teredo
 * and v4-compatible IPv6 stays an IPv6 address; `embeddedIpv4s` takes it out so that guards can judge it.
 * Strict: the loose number forms that `inet_aton` takes are read by `host.ts` alone. Never resolves.
 */
export interface Address {
  readonly family: 4 | 6;
  /** Canonical text (RFC 5952 for IPv6), no zone, no brackets. */
  readonly text: string;
}

/** Four 32-bit words in network order; IPv4 uses the last one. Input of the range arithmetic. */
export type AddressWords = readonly [number, number, number, number];

/** The address in its canonical spelling; `undefined` for anything that is not one literal address. */
export function readAddress(text: string): Address | undefined {
  const value = readIpv4(text);
  if (value !== undefined) return { family: 4, text };
  if (!text.includes(':')) return undefined;
  const groups = readIpv6(text);
  if (groups === undefined) return undefined;
  if (isMapped(groups)) return ipv4Address(low32(groups));
  return { family: 6, text: formatIpv6(groups) };
}

/** The address as numbers; throws RangeError when `address.text` is not canonical (a bug, not input). */
export function addressWords(address: Address): AddressWords {
  if (address.family === 4) {
    const value = readIpv4(address.text);
    if (value === undefined) throw new RangeError('not a canonical IPv4 address');
    return [0, 0, 0, value];
  }
  const groups = readIpv6(address.text);
  if (groups === undefined) throw new RangeError('not a canonical IPv6 address');
  return [pair(groups, 0), pair(groups, 2), pair(groups, 4), pair(groups, 6)];
}

/** The address of four words, canonical; v4-mapped words give the IPv4 address. */
export function addressOfWords(family: 4 | 6, words: AddressWords): Address {
  if (family === 4) return ipv4Address(words[3]);
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  return isMapped(groups) ? ipv4Address(low32(groups)) : { family: 6, text: formatIpv6(groups) };
}

/**
 * Every IPv4 address this IPv6 address may end up at: v4-compatible (::/96 without :: and ::1), NAT64
 * (RFC 6052 64:ff9b::/96; RFC 8215 64:ff9b:1::/48 in each of its prefix lengths), 6to4 (RFC 3056), Teredo
 * (RFC 4380: the client, then the server). Empty for IPv4 and for plain IPv6.
 */
export function embeddedIpv4s(address: Address): readonly Address[] {
  if (address.family === 4) return NONE;
  const [a, b, c, d] = addressWords(address);
  if (a === 0 && b === 0 && c === 0) return d > 1 ? [ipv4Address(d)] : NONE;
  if (a === 0x64ff9b && b === 0 && c === 0) return [ipv4Address(d)];
  if (a === 0x64ff9b && b >>> 16 === 1) return localNat64(b, c, d).map(ipv4Address);
  if (a >>> 16 === 0x2002) return [ipv4Address(((a << 16) | (b >>> 16)) >>> 0)];
  if (a === 0x20010000) return [ipv4Address(~d >>> 0), ipv4Address(b)];
  return NONE;
}

const NONE: readonly Address[] = [];

/** RFC 6052 section 2.2: bits 64 to 71 stay zero, so a /48, /56 and /64 prefix each put IPv4 elsewhere. */
function localNat64(b: number, c: number, d: number): number[] {
  const inPrefix48 = ((b & 0xffff) << 16) | ((c >>> 8) & 0xffff);
  const inPrefix56 = ((b & 0xff) << 24) | (c & 0xffffff);
  const inPrefix64 = ((c & 0xffffff) << 8) | (d >>> 24);
  // A position that is all zero is not the one in use.
  return [d, inPrefix48 >>> 0, inPrefix56 >>> 0, inPrefix64 >>> 0].filter((value) => value !== 0);
}

/** Strict dotted decimal: four octets, no leading zero, nothing around. */
function readIpv4(text: string): number | undefined {
  let value = 0;
  let octet = -1;
  let octets = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x2e) {
      if (octet < 0 || ++octets > 3) return undefined;
      value = value * 256 + octet;
      octet = -1;
    } else {
      if (code < 0x30 || code > 0x39 || octet === 0) return undefined;
      octet = octet < 0 ? code - 0x30 : octet * 10 + code - 0x30;
      if (octet > 255) return undefined;
    }
  }
  return octets === 3 && octet >= 0 ? value * 256 + octet : undefined;
}

/** RFC 4291 section 2.2, all three text forms: eight 16-bit groups. */
function readIpv6(text: string): readonly number[] | undefined {
  const gap = text.indexOf('::');
  if (gap < 0) {
    const groups = readGroups(text, true);
    return groups?.length === 8 ? groups : undefined;
  }
  const before = gap === 0 ? [] : readGroups(text.slice(0, gap), false);
  const after = gap + 2 === text.length ? [] : readGroups(text.slice(gap + 2), true);
  if (before === undefined || after === undefined) return undefined;
  const missing = 8 - before.length - after.length;
  if (missing < 1) return undefined;
  return [...before, ...Array.from({ length: missing }, () => 0), ...after];
}

function readGroups(text: string, isTail: boolean): number[] | undefined {
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (isTail && index === parts.length - 1 && part.includes('.')) {
      const value = readIpv4(part);
      if (value === undefined) return undefined;
      groups.push(Math.floor(value / 65_536), value % 65_536);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
    if (groups.length > 8) return undefined;
  }
  return groups;
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. */
function formatIpv6(groups: readonly number[]): string {
  let runStart = -1;
  let runLength = 1;
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > runLength) {
      runStart = start;
      runLength = end - start;
    }
    start = end;
  }
  const hex = groups.map((group) => group.toString(16));
  if (runStart < 0) return hex.join(':');
  return `${hex.slice(0, runStart).join(':')}::${hex.slice(runStart + runLength).join(':')}`;
}

function isMapped(groups: readonly number[]): boolean {
  return groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
}

function pair(groups: readonly number[], index: number): number {
  return (((groups[index] ?? 0) << 16) | (groups[index + 1] ?? 0)) >>> 0;
}

function low32(groups: readonly number[]): number {
  return pair(groups, 6);
}

function ipv4Address(value: number): Address {
  const text = `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
  return { family: 4, text };
}
