/** Hosts and addresses against two independent readers: `new URL()` and ipaddr.js. */
import * as fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, test } from 'vitest';
import { Refusal } from '../../src/kernel/errors.ts';
import { addressOfWords, readAddress } from '../../src/wire/address.ts';
import type { Host } from '../../src/wire/host.ts';
import { parseAuthority, parseHost } from '../../src/wire/host.ts';
import { isInCidr, parseCidr } from '../../src/wire/ranges.ts';
import { specialPurposeClass } from '../../src/wire/special-purpose.ts';

const RUNS = { numRuns: 3_000 };

/** `undefined` when refused; any other exception fails the test. */
function refusedOr<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return undefined;
  }
}

function hostOrRefused(text: string): Host | undefined {
  return refusedOr(() => parseHost(text));
}

/** The hostname a URL parser reads, with what we reduce further: trailing dot, v4-mapped. */
function hostOfUrl(text: string): string | undefined {
  const hostname = URL.parse(`http://${text}/`)?.hostname;
  if (hostname === undefined) return undefined;
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname.replace(/\.$/, '');
  return readAddress(bare)?.text ?? bare;
}

const FORMS = ['decimal', 'octal', 'hex', 'HEX', 'padded'] as const;

function spellNumber(value: number, form: (typeof FORMS)[number]): string {
  if (form === 'octal') return `0${value.toString(8)}`;
  if (form === 'padded') return `000${value.toString(8)}`;
  if (form === 'hex') return `0x${value.toString(16)}`;
  return form === 'HEX' ? `0X${value.toString(16).toUpperCase()}` : String(value);
}

const form = fc.constantFrom(...FORMS);
const anyNumber = fc.tuple(fc.nat(0xffffffff), form).map(([value, as]) => spellNumber(value, as));
const octet = fc.tuple(fc.nat(255), form).map(([value, as]) => spellNumber(value, as));
const numberHost = fc.oneof(
  anyNumber,
  fc
    .array(fc.oneof({ weight: 5, arbitrary: octet }, anyNumber), {
      minLength: 2,
      maxLength: 5,
    })
    .map((parts) => parts.join('.')),
);
const nameCharacter = fc.constantFrom(
  ...'abcxyz019-_.ABÄßİſ。．０⑫\u00ad\u200d☃０x%/:@[]'.split(''),
);
const nameHost = fc
  .array(nameCharacter, { minLength: 1, maxLength: 12 })
  .map((all) => all.join(''));
const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 });

function spellGroups(values: readonly number[], shape: number): string {
  const hex = values.map((value) =>
    shape % 2 === 0 ? value.toString(16) : value.toString(16).padStart(4, '0'),
  );
  return shape % 3 === 0 ? hex.join(':').toUpperCase() : hex.join(':');
}

describe('parseHost', () => {
  test('agrees with new URL() on every IPv4 number form', () => {
    fc.assert(
      fc.property(numberHost, (text) => {
        expect(hostOrRefused(text)?.text).toBe(hostOfUrl(text));
      }),
      RUNS,
    );
  });

  test('what it accepts as a name, new URL() reads as the same name', () => {
    fc.assert(
      fc.property(nameHost, (text) => {
        const host = hostOrRefused(text);
        fc.pre(host !== undefined && host.kind !== 'ipv6');
        expect(host?.text).toBe(hostOfUrl(text));
      }),
      RUNS,
    );
  });

  test('is idempotent, and what comes out is plain', () => {
    fc.assert(
      fc.property(fc.oneof(nameHost, numberHost, fc.string()), (text) => {
        const host = hostOrRefused(text);
        fc.pre(host !== undefined);
        expect(parseHost(host.text)).toEqual(host);
        expect(host.text).toMatch(/^[-._a-z0-9:]+$/);
        expect(host.text).not.toMatch(/^\.|\.$|\.\./);
      }),
      RUNS,
    );
  });

  test('agrees with new URL() and ipaddr.js on IPv6', () => {
    fc.assert(
      fc.property(groups, fc.nat(5), (values, shape) => {
        const text = spellGroups(values, shape);
        const host = hostOrRefused(`[${text}]`);
        expect(host?.text).toBe(hostOfUrl(`[${text}]`));
        const reference = ipaddr.IPv6.parse(text);
        const canonical = reference.isIPv4MappedAddress()
          ? reference.toIPv4Address().toString()
          : reference.toRFC5952String();
        expect(readAddress(text)?.text).toBe(canonical);
      }),
      RUNS,
    );
  });

  test('an authority is refused or has one host and one port', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 24 }), (text) => {
        const authority = refusedOr(() => parseAuthority(text, null));
        expect(authority === undefined || text.endsWith(`:${authority.port}`)).toBe(true);
      }),
      RUNS,
    );
  });
});

describe('readAddress', () => {
  test('accepts no text that ipaddr.js calls invalid', () => {
    const almost = fc
      .array(fc.constantFrom('0', '1', 'ff', '255', '256', ':', '::', '.', 'g', '%'), {
        maxLength: 16,
      })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(almost, (text) => {
        expect(readAddress(text) === undefined || ipaddr.isValid(text)).toBe(true);
      }),
      RUNS,
    );
  });
});

const ipv4 = fc.nat(0xffffffff).map((value) => addressOfWords(4, [0, 0, 0, value]).text);
const ipv6 = groups
  .map((values) =>
    ipaddr.fromByteArray(values.flatMap((value) => [value >> 8, value & 255])).toString(),
  )
  .filter((text) => readAddress(text)?.family === 6);

function address(text: string) {
  const read = readAddress(text);
  if (read === undefined) throw new Error(`not an address: ${text}`);
  return read;
}

describe('ranges', () => {
  test('isInCidr agrees with ipaddr.js', () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        ipv4,
        ipv6,
        fc.nat(128),
        fc.nat(128),
        (isIpv4, v4, v6, bits, flip) => {
          const text = isIpv4 ? v4 : v6;
          const prefix = isIpv4 ? bits % 33 : bits;
          const reference = ipaddr.parse(text);
          const bytes = reference.toByteArray();
          const position = flip % (bytes.length * 8);
          bytes[position >> 3] = (bytes[position >> 3] ?? 0) ^ (128 >> (position & 7));
          const other = ipaddr.fromByteArray(bytes);
          fc.pre(readAddress(other.toString())?.family === (isIpv4 ? 4 : 6));
          const expected = isIpv4
            ? ipaddr.IPv4.parse(other.toString()).match(ipaddr.IPv4.parse(text), prefix)
            : ipaddr.IPv6.parse(other.toString()).match(ipaddr.IPv6.parse(text), prefix);
          expect(isInCidr(address(other.toString()), parseCidr(`${text}/${prefix}`))).toBe(
            expected,
          );
        },
      ),
      RUNS,
    );
  });

  test('what ipaddr.js does not call unicast has a class, wrappings apart', () => {
    const special = fc
      .tuple(
        fc.constantFrom(
          0x0000,
          0x0064,
          0x0100,
          0x2001,
          0x2002,
          0x2620,
          0x3fff,
          0x5f00,
          0xfc00,
          0xfe80,
          0xfec0,
          0xff02,
        ),
        fc.constantFrom(0, 1, 2, 0x20, 0xdb8, 0xff9b, 0x4f),
        groups,
      )
      .map(([first, second, rest]) => [first, second, ...rest.slice(2)])
      .map((values) =>
        ipaddr.fromByteArray(values.flatMap((value) => [value >> 8, value & 255])).toString(),
      );
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6, special), (text) => {
        const range = ipaddr.parse(text).range();
        fc.pre(!['unicast', 'rfc6052', '6to4', 'teredo', 'ipv4Mapped'].includes(range));
        expect(specialPurposeClass(address(text))).not.toBeNull();
      }),
      RUNS,
    );
  });
});
