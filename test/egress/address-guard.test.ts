import { describe, expect, test } from 'vitest';
import { createAddressGuard } from '../../src/egress/address-guard.ts';
import { StartError } from '../../src/kernel/errors.ts';
import { parseHost } from '../../src/wire/host.ts';
import { readAddress } from '../../src/wire/address.ts';

const METADATA = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
];
const EVERYTHING = ['0.0.0.0/0', '::/0'];

function classify(text: string, allowPrivate: readonly string[] = [], port = 443) {
  const guard = createAddressGuard({
    allowPrivate,
    listeners: () => [
      { address: '127.0.0.1', port: 3128 },
      { address: '::', port: 3129 },
    ],
    localAddresses: () => ['127.0.0.1', '10.1.2.3', '203.0.113.9', 'fe80::1%eth0', '2001:db8::9'],
  });
  // Through `parseHost`, as the proxy does, so that every spelling is judged.
  const address = readAddress(parseHost(text).text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return guard.classify(address, port);
}

describe('tier one: own listeners', () => {
  test.each([
    '127.0.0.1',
    '127.9.9.9',
    '0.0.0.0',
    '2130706433',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '10.1.2.3',
    '203.0.113.9',
    '[64:ff9b::10.1.2.3]',
    '[fe80::1]',
    '[2001:db8::9]',
  ])('%s stays closed on both listeners whatever is allowed', (text) => {
    const allowed = [...EVERYTHING, '127.0.0.1', '::1', '10.1.2.3', '203.0.113.9', '2001:db8::9'];
    expect(classify(text, allowed, 3128)).toBe('listener');
    expect(classify(text, allowed, 3129)).toBe('listener');
  });

  test('the same port elsewhere is no listener', () => {
    expect(classify('1.1.1.1', [], 3128)).toBeNull();
    expect(classify('10.9.9.9', ['10.0.0.0/8'], 3128)).toBeNull();
  });

  test('listeners are asked at every look, since port 0 is known late', () => {
    const listeners: { address: string; port: number }[] = [];
    const guard = createAddressGuard({
      allowPrivate: ['127.0.0.0/8'],
      listeners: () => listeners,
      localAddresses: () => [],
    });
    const loopback = { family: 4, text: '127.0.0.1' } as const;
    expect(guard.classify(loopback, 5000)).toBeNull();
    listeners.push({ address: '127.0.0.1', port: 5000 });
    expect(guard.classify(loopback, 5000)).toBe('listener');
  });
});

describe('tier two: metadata services', () => {
  test.each(METADATA)('%s is metadata, and no range opens it', (text) => {
    expect(classify(text)).toBe('metadata');
    expect(classify(text, EVERYTHING)).toBe('metadata');
    expect(classify(text, ['169.254.0.0/16', 'fd00::/8', '169.254.169.254/31'])).toBe('metadata');
  });

  test.each(METADATA)('%s opens by its exact address', (text) => {
    expect(classify(text, [text])).toBeNull();
  });

  test.each([
    '2852039166',
    '0xa9fea9fe',
    '0251.0376.0251.0376',
    '169.254.43518',
    '169.16689662',
    '[::ffff:169.254.169.254]',
    '[::ffff:a9fe:a9fe]',
    '[64:ff9b::a9fe:a9fe]',
    '[64:ff9b:1::a9fe:a9fe]',
    '[64:ff9b:1:a9fe:a9:fe00::]',
    '[2002:a9fe:a9fe::1]',
    '[2001:0:101:101::5601:5601]',
    '[2001:0:a9fe:a9fe::1]',
    '[::169.254.169.254]',
    '[fd00:0ec2:0:0:0:0:0:254]',
  ])('%s is metadata in another spelling', (text) => {
    expect(classify(text, EVERYTHING)).toBe('metadata');
  });
});

describe('tier three: special-purpose ranges', () => {
  test.each([
    ['127.0.0.1', 'loopback'],
    ['[::1]', 'loopback'],
    ['10.0.0.1', 'private'],
    ['[64:ff9b::10.0.0.1]', 'private'],
    ['[2002:a00:1::]', 'private'],
    ['[2001:0:101:101::f5ff:fffe]', 'private'],
    ['[::10.0.0.1]', 'reserved'],
    ['[fd12::1]', 'unique_local'],
    ['0.0.0.0', 'unspecified'],
    ['198.18.0.1', 'benchmarking'],
    ['255.255.255.255', 'reserved'],
  ])('%s is refused as %s', (text, expected) => {
    expect(classify(text)).toBe(expected);
  });

  test('a containing range opens it, and only it', () => {
    expect(classify('10.0.0.1', ['10.0.0.0/24'])).toBeNull();
    expect(classify('10.0.1.1', ['10.0.0.0/24'])).toBe('private');
    expect(classify('[::1]', ['127.0.0.0/8'])).toBe('loopback');
    expect(classify('[::1]', ['0.0.0.0/0'])).toBe('loopback');
    expect(classify('[64:ff9b::10.0.0.1]', ['10.0.0.0/24'])).toBeNull();
    expect(classify('[64:ff9b:1::10.0.0.1]', ['10.0.0.0/24'])).toBe('private');
    expect(classify('[64:ff9b:1::10.0.0.1]', ['64:ff9b:1::/48'])).toBeNull();
  });

  test.each(['1.1.1.1', '[2606:4700::1111]', '[64:ff9b::1.1.1.1]', '[2002:101:101::]'])(
    '%s is public',
    (text) => {
      expect(classify(text)).toBeNull();
    },
  );
});

test('I8 an entry that cannot be read ends the start, not the guard', () => {
  const make = () =>
    createAddressGuard({
      allowPrivate: ['10.0.0.0/8', 'internal'],
      listeners: () => [],
      localAddresses: () => [],
    });
  expect(make).toThrow(StartError);
  expect(make).toThrow('egress.allow_private[1]');
});
