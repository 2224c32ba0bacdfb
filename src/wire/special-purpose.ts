/**
 * The IANA special-purpose address registries (RFC 6890 and its updates) as data, and which class an
 * address belongs to. Addresses that registries call globally reachable (AS112, AMT, 6to4 relays) count
 * too: no API lives there. Everything outside 2000::/3 is reserved, since IANA has allocated nothing
 * else. Mere wrappings of IPv4 have no class: callers judge what `embeddedIpv4s` takes out.
 */
import type { Address } from './address.ts';
import { addressWords } from './address.ts';
import type { Cidr } from './ranges.ts';
import { areWordsInCidr, parseCidr } from './ranges.ts';

/** Classes of the IANA special-purpose registries, named as refusals name them. */
export type SpecialPurposeClass =
  | 'loopback'
  | 'private'
  | 'link_local'
  | 'carrier_grade_nat'
  | 'unique_local'
  | 'unspecified'
  | 'multicast'
  | 'documentation'
  | 'benchmarking'
  | 'reserved';

type Row = readonly [cidr: string, addressClass: SpecialPurposeClass];

const IPV4: readonly Row[] = [
  ['10.0.0.0/8', 'private'],
  ['172.16.0.0/12', 'private'],
  ['192.168.0.0/16', 'private'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link_local'],
  ['100.64.0.0/10', 'carrier_grade_nat'],
  ['0.0.0.0/8', 'unspecified'],
  ['224.0.0.0/4', 'multicast'],
  ['192.0.2.0/24', 'documentation'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['198.18.0.0/15', 'benchmarking'],
  ['192.0.0.0/24', 'reserved'],
  ['192.31.196.0/24', 'reserved'],
  ['192.52.193.0/24', 'reserved'],
  ['192.88.99.0/24', 'reserved'],
  ['192.175.48.0/24', 'reserved'],
  ['240.0.0.0/4', 'reserved'],
];

/** Narrower ranges first: the first match names the class. */
const IPV6: readonly Row[] = [
  ['::1/128', 'loopback'],
  ['::/128', 'unspecified'],
  ['fc00::/7', 'unique_local'],
  ['fe80::/10', 'link_local'],
  ['fec0::/10', 'private'],
  ['ff00::/8', 'multicast'],
  ['64:ff9b:1::/48', 'private'],
  ['2001:db8::/32', 'documentation'],
  ['3fff::/20', 'documentation'],
  ['2001:2::/48', 'benchmarking'],
  ['2001::/23', 'reserved'],
  ['2620:4f:8000::/48', 'reserved'],
  ['::/3', 'reserved'],
  ['4000::/2', 'reserved'],
  ['8000::/1', 'reserved'],
];

/** Ranges that are nothing but a wrapping: judged by the IPv4 address inside, and by it alone. */
const WRAPPINGS: readonly string[] = ['64:ff9b::/96', '2002::/16', '2001::/32'];

type CompiledRow = readonly [cidr: Cidr, addressClass: SpecialPurposeClass];

function compile(rows: readonly Row[]): readonly CompiledRow[] {
  return rows.map(([cidr, addressClass]) => [parseCidr(cidr), addressClass]);
}

const ipv4Rows = compile(IPV4);
const ipv6Rows = compile(IPV6);
const wrappings = WRAPPINGS.map(parseCidr);

/**
 * The class of the address itself, `null` for global unicast and for mere wrappings. What a wrapping
 * carries is asked separately, with the addresses of `embeddedIpv4s`.
 */
export function specialPurposeClass(address: Address): SpecialPurposeClass | null {
  const words = addressWords(address);
  if (address.family === 6 && wrappings.some((cidr) => areWordsInCidr(words, cidr))) return null;
  for (const [cidr, addressClass] of address.family === 4 ? ipv4Rows : ipv6Rows) {
    if (areWordsInCidr(words, cidr)) return addressClass;
  }
  return null;
}
