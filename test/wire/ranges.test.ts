import { describe, expect, test } from 'vitest';
import { readAddress } from '../../src/wire/address.ts';
import { isInCidr, parseCidr, readCidr } from '../../src/wire/ranges.ts';
import { specialPurposeClass } from '../../src/wire/special-purpose.ts';

function address(text: string) {
  const read = readAddress(text);
  if (read === undefined) throw new Error(`not an address: ${text}`);
  return read;
}

describe('parseCidr', () => {
  test.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['10.1.2.3', '10.1.2.3/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['::/0', '::/0'],
    ['2001:DB8::1', '2001:db8::1/128'],
    ['2001:db8:ffff::/33', '2001:db8:8000::/33'],
    ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
    ['::ffff:10.0.0.1', '10.0.0.1/32'],
    ['fe80::/10', 'fe80::/10'],
  ])('reads %s as %s', (text, canonical) => {
    expect(parseCidr(text).text).toBe(canonical);
  });

  test.each([
    '',
    '/8',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '010.0.0.0/8',
    '::/129',
    '::ffff:10.0.0.0/90',
    'example.com/8',
    '[::1]/128',
    '10.0.0.0/255.0.0.0',
  ])('refuses %j', (text) => {
    expect(readCidr(text)).toBeUndefined();
    expect(() => parseCidr(text)).toThrow(RangeError);
  });
});

describe('isInCidr', () => {
  test.each([
    ['10.255.255.255', '10.0.0.0/8', true],
    ['11.0.0.0', '10.0.0.0/8', false],
    ['255.255.255.255', '0.0.0.0/0', true],
    ['::1', '0.0.0.0/0', false],
    ['1.2.3.4', '::/0', false],
    ['::ffff:1.2.3.4', '0.0.0.0/0', true],
    ['1.2.3.4', '1.2.3.4', true],
    ['1.2.3.5', '1.2.3.4', false],
    ['200.0.0.1', '200.0.0.0/31', true],
    ['200.0.0.2', '200.0.0.0/31', false],
    ['febf:ffff::1', 'fe80::/10', true],
    ['fec0::', 'fe80::/10', false],
    ['2001:db8::1', '2001:db8::1', true],
    ['2001:db8::2', '2001:db8::1', false],
    ['2001:db8:0:0:8000::', '2001:db8::/65', false],
  ])('%s in %s is %s', (text, cidr, expected) => {
    expect(isInCidr(address(text), parseCidr(cidr))).toBe(expected);
  });
});

describe('specialPurposeClass', () => {
  test.each([
    ['0.0.0.0', 'unspecified'],
    ['0.255.255.255', 'unspecified'],
    ['10.0.0.1', 'private'],
    ['100.64.0.1', 'carrier_grade_nat'],
    ['100.127.255.255', 'carrier_grade_nat'],
    ['127.255.255.254', 'loopback'],
    ['169.254.0.1', 'link_local'],
    ['172.16.0.0', 'private'],
    ['172.31.255.255', 'private'],
    ['192.0.0.8', 'reserved'],
    ['192.0.2.1', 'documentation'],
    ['192.88.99.1', 'reserved'],
    ['192.168.0.1', 'private'],
    ['198.18.0.1', 'benchmarking'],
    ['198.19.255.255', 'benchmarking'],
    ['198.51.100.1', 'documentation'],
    ['203.0.113.1', 'documentation'],
    ['224.0.0.1', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['240.0.0.1', 'reserved'],
    ['255.255.255.255', 'reserved'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['::2', 'reserved'],
    ['::127.0.0.1', 'reserved'],
    ['64:ff9b:1::1', 'private'],
    ['100::1', 'reserved'],
    ['2001:1::1', 'reserved'],
    ['2001:2::1', 'benchmarking'],
    ['2001:20::1', 'reserved'],
    ['2001:db8::1', 'documentation'],
    ['3fff::1', 'documentation'],
    ['5f00::1', 'reserved'],
    ['fc00::1', 'unique_local'],
    ['fdff::1', 'unique_local'],
    ['fe80::1', 'link_local'],
    ['fec0::1', 'private'],
    ['ff02::1', 'multicast'],
    ['8000::1', 'reserved'],
  ])('%s is %s', (text, expected) => {
    expect(specialPurposeClass(address(text))).toBe(expected);
  });

  test.each([
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2a00:1450::1',
    '2001:4860:4860::8888',
    '64:ff9b::1.1.1.1',
    '2002:101:101::',
    '2001:0:101:101::',
  ])('%s is none', (text) => {
    expect(specialPurposeClass(address(text))).toBeNull();
  });
});
