/**
 * Every internal range by its first and last address, written down from the registries and not from the
 * code, and every spelling and embedding of an address that some client, resolver or kernel understands.
 */

/** IANA special-purpose registry, IPv4; and the metadata services of spec section 3. */
export const IPV4_RANGES: readonly (readonly [first: string, last: string, kind: string])[] = [
  ['0.0.0.0', '0.255.255.255', 'unspecified'],
  ['10.0.0.0', '10.255.255.255', 'private'],
  ['100.64.0.0', '100.100.100.199', 'carrier_grade_nat'],
  ['100.100.100.200', '100.100.100.200', 'metadata'],
  ['100.100.100.201', '100.127.255.255', 'carrier_grade_nat'],
  ['127.0.0.0', '127.255.255.255', 'loopback'],
  ['168.63.129.16', '168.63.129.16', 'metadata'],
  ['169.254.0.0', '169.254.169.253', 'link_local'],
  ['169.254.169.254', '169.254.169.254', 'metadata'],
  ['169.254.170.2', '169.254.170.2', 'metadata'],
  ['169.254.170.23', '169.254.170.23', 'metadata'],
  ['169.254.170.24', '169.254.255.255', 'link_local'],
  ['172.16.0.0', '172.31.255.255', 'private'],
  ['192.0.0.0', '192.0.0.191', 'reserved'],
  ['192.0.0.192', '192.0.0.192', 'metadata'],
  ['192.0.0.193', '192.0.0.255', 'reserved'],
  ['192.0.2.0', '192.0.2.255', 'documentation'],
  ['192.31.196.0', '192.31.196.255', 'reserved'],
  ['192.52.193.0', '192.52.193.255', 'reserved'],
  ['192.88.99.0', '192.88.99.255', 'reserved'],
  ['192.168.0.0', '192.168.255.255', 'private'],
  ['192.175.48.0', '192.175.48.255', 'reserved'],
  ['198.18.0.0', '198.19.255.255', 'benchmarking'],
  ['198.51.100.0', '198.51.100.255', 'documentation'],
  ['203.0.113.0', '203.0.113.255', 'documentation'],
  ['224.0.0.0', '239.255.255.255', 'multicast'],
  ['240.0.0.0', '255.255.255.255', 'reserved'],
];

/** IPv6, every group written out. */
export const IPV6_RANGES: readonly (readonly [first: string, last: string, kind: string])[] = [
  ['0:0:0:0:0:0:0:0', '0:0:0:0:0:0:0:0', 'unspecified'],
  ['0:0:0:0:0:0:0:1', '0:0:0:0:0:0:0:1', 'loopback'],
  ['100:0:0:0:0:0:0:0', '100:0:0:0:ffff:ffff:ffff:ffff', 'reserved'],
  ['2001:2:0:0:0:0:0:0', '2001:2:0:ffff:ffff:ffff:ffff:ffff', 'benchmarking'],
  ['2001:20:0:0:0:0:0:0', '2001:2f:ffff:ffff:ffff:ffff:ffff:ffff', 'reserved'],
  ['2001:db8:0:0:0:0:0:0', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', 'documentation'],
  ['2620:4f:8000:0:0:0:0:0', '2620:4f:8000:ffff:ffff:ffff:ffff:ffff', 'reserved'],
  ['3fff:0:0:0:0:0:0:0', '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff', 'documentation'],
  ['5f00:0:0:0:0:0:0:0', '5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'reserved'],
  ['fc00:0:0:0:0:0:0:0', 'fd00:ec1:ffff:ffff:ffff:ffff:ffff:ffff', 'unique_local'],
  ['fd00:ec2:0:0:0:0:0:23', 'fd00:ec2:0:0:0:0:0:23', 'metadata'],
  ['fd00:ec2:0:0:0:0:0:254', 'fd00:ec2:0:0:0:0:0:254', 'metadata'],
  ['fd20:ce:0:0:0:0:0:254', 'fd20:ce:0:0:0:0:0:254', 'metadata'],
  ['fd20:ce:0:0:0:0:0:255', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'unique_local'],
  ['fe80:0:0:0:0:0:0:0', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'link_local'],
  ['fec0:0:0:0:0:0:0:0', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'private'],
  ['ff00:0:0:0:0:0:0:0', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'multicast'],
];

/** The addresses beside the ranges that belong to nobody special. */
export const OUTSIDE: readonly string[] = [
  '1.0.0.0',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '168.63.129.15',
  '168.63.129.17',
  '169.253.255.255',
  '169.255.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '191.255.255.255',
  '192.0.1.0',
  '192.0.1.255',
  '192.0.3.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '198.51.99.255',
  '198.51.101.0',
  '203.0.112.255',
  '203.0.114.0',
  '223.255.255.255',
  '2000:0:0:0:0:0:0:1',
  '2001:200:0:0:0:0:0:1',
  '2001:db7:ffff:ffff:ffff:ffff:ffff:ffff',
  '2001:db9:0:0:0:0:0:0',
  '2606:4700:0:0:0:0:0:1111',
];

type Octets = readonly [number, number, number, number];

function octetsOf(dotted: string): Octets {
  const [a = 0, b = 0, c = 0, d = 0] = dotted.split('.').map(Number);
  return [a, b, c, d];
}

const hex = (number: number): string => number.toString(16);
const byte = (number: number): string => hex(number).padStart(2, '0');
const octal = (number: number): string => `0${number.toString(8)}`;

/** Name of the way, and the text as it stands in an authority. */
type Spelling = readonly [way: string, text: string];

/** What `inet_aton`, URL parsers and people write for one IPv4 address. */
export function spellIpv4(dotted: string): readonly Spelling[] {
  const [a, b, c, d] = octetsOf(dotted);
  const number = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  const low16 = (c << 8) | d;
  const low24 = (b << 16) | low16;
  return [
    ['dotted', dotted],
    ['dotted, a final dot', `${dotted}.`],
    ['one number', String(number)],
    ['hexadecimal number', `0x${hex(number)}`],
    ['hexadecimal number in capitals', `0X${hex(number).toUpperCase()}`],
    ['octal number', octal(number)],
    ['hexadecimal parts', [a, b, c, d].map((part) => `0x${hex(part)}`).join('.')],
    ['octal parts', [a, b, c, d].map(octal).join('.')],
    ['octal parts with zeros in front', [a, b, c, d].map((part) => `000${octal(part)}`).join('.')],
    ['mixed parts', `${a}.0x${hex(b)}.${octal(c)}.${d}`],
    ['three parts', `${a}.${b}.${low16}`],
    ['two parts', `${a}.${low24}`],
    ['two hexadecimal parts', `0x${hex(a)}.0x${hex(low24)}`],
    ['fullwidth digits', fullwidth(dotted)],
    ['ideographic dots', dotted.replaceAll('.', '\u3002')],
  ];
}

function fullwidth(text: string): string {
  return text.replaceAll(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit)));
}

/** Every IPv6 address that carries this IPv4 address somewhere. */
export function embedIpv4(dotted: string): readonly Spelling[] {
  const [a, b, c, d] = octetsOf(dotted);
  const high = hex((a << 8) | b);
  const low = hex((c << 8) | d);
  const inverse = [hex(((a << 8) | b) ^ 0xffff), hex(((c << 8) | d) ^ 0xffff)].join(':');
  const middle = `${byte(b)}${byte(c)}`;
  return [
    ['v4-mapped', `[::ffff:${high}:${low}]`],
    ['v4-mapped, dotted', `[::ffff:${dotted}]`],
    ['v4-mapped in capitals', `[::FFFF:${high.toUpperCase()}:${low.toUpperCase()}]`],
    ['v4-mapped, written out', `[0000:0000:0000:0000:0000:ffff:${high}:${low}]`],
    ['v4-compatible', `[::${high}:${low}]`],
    ['v4-compatible, dotted', `[::${dotted}]`],
    ['NAT64', `[64:ff9b::${high}:${low}]`],
    ['NAT64, dotted', `[64:ff9b::${dotted}]`],
    ['local NAT64, 96 bits', `[64:ff9b:1::${high}:${low}]`],
    ['local NAT64, 64 bits', `[64:ff9b:1:0:${byte(a)}:${middle}:${byte(d)}00:0]`],
    ['local NAT64, 56 bits', `[64:ff9b:1:${byte(a)}:${byte(b)}:${byte(c)}${byte(d)}::]`],
    ['local NAT64, 48 bits', `[64:ff9b:1:${high}:${byte(c)}:${byte(d)}00::]`],
    ['6to4', `[2002:${high}:${low}::1]`],
    ['6to4, written out', `[2002:${high}:${low}:0:0:0:0:0]`],
    ['Teredo client', `[2001:0:4136:e378:8000:63bf:${inverse}]`],
    ['Teredo server', `[2001:0:${high}:${low}:8000:63bf:fefe:fefe]`],
  ];
}

/** The ways to write one IPv6 address, given with every group. */
export function spellIpv6(groups: string): readonly Spelling[] {
  const parts = groups.split(':');
  const [last2 = '0', last1 = '0'] = parts.slice(-2);
  const words = [Number.parseInt(last2, 16), Number.parseInt(last1, 16)];
  const dotted = words.flatMap((word) => [word >> 8, word & 0xff]).join('.');
  const zeros = /(?:^|:)0(?::0)+(?::|$)/.exec(groups);
  return [
    ['every group', `[${groups}]`],
    ['zeros in front', `[${parts.map((part) => part.padStart(4, '0')).join(':')}]`],
    ['capitals', `[${groups.toUpperCase()}]`],
    ['a dotted end', `[${parts.slice(0, 6).join(':')}:${dotted}]`],
    ...(zeros === null
      ? []
      : ([['short', `[${groups.replace(zeros[0], '::')}]`]] satisfies Spelling[])),
  ];
}
