import { describe, expect, test } from 'vitest';
import {
  addressOfWords,
  addressWords,
  embeddedIpv4s,
  readAddress,
} from '../../src/wire/address.ts';

function address(text: string) {
  const read = readAddress(text);
  if (read === undefined) throw new Error(`not an address: ${text}`);
  return read;
}

describe('readAddress', () => {
  test.each([
    ['0.0.0.0', 4, '0.0.0.0'],
    ['255.255.255.255', 4, '255.255.255.255'],
    ['::ffff:10.0.0.1', 4, '10.0.0.1'],
    ['::ffff:a00:1', 4, '10.0.0.1'],
    ['2001:0DB8:0000:0000:0000:0000:0000:0001', 6, '2001:db8::1'],
    ['0:0:1:0:0:0:1:0', 6, '0:0:1::1:0'],
    ['1:0:0:2:0:0:3:4', 6, '1::2:0:0:3:4'],
    ['::1.2.3.4', 6, '::102:304'],
    ['1:2:3:4:5:6:1.2.3.4', 6, '1:2:3:4:5:6:102:304'],
    ['1:2:3:4:5:6:7::', 6, '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', 6, '0:2:3:4:5:6:7:8'],
  ])('reads %s', (text, family, canonical) => {
    expect(readAddress(text)).toEqual({ family, text: canonical });
  });

  test.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '1.2.3.04',
    '1.2.3.00',
    '0x1.2.3.4',
    '256.1.1.1',
    '1.2.3.4 ',
    '1.2.3.',
    '.1.2.3',
    '1..2.3',
    '[::1]',
    '::1%lo',
    '1:2:3:4:5:6:7:8::',
    '1.2.3.4::',
    '::1.2.3.4:5',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    'example.com',
  ])('refuses %j', (text) => {
    expect(readAddress(text)).toBeUndefined();
  });

  test('words and text are two forms of one address', () => {
    for (const text of ['1.2.3.4', '2001:db8::ffff:1', 'ff02::1', '::']) {
      const read = address(text);
      expect(addressOfWords(read.family, addressWords(read))).toEqual(read);
    }
  });
});

describe('embeddedIpv4s', () => {
  test.each([
    ['::10.0.0.1', ['10.0.0.1']],
    ['64:ff9b::10.0.0.1', ['10.0.0.1']],
    ['2002:a00:1::', ['10.0.0.1']],
    ['2002:7f00:1:ffff::1', ['127.0.0.1']],
    ['2001:0:808:808::f5ff:fffe', ['10.0.0.1', '8.8.8.8']],
    ['64:ff9b:1::10.0.0.1', ['10.0.0.1']],
    ['64:ff9b:1:a00:0:100::', ['10.0.0.1']],
  ])('takes the IPv4 addresses out of %s', (text, expected) => {
    expect(embeddedIpv4s(address(text)).map((inner) => inner.text)).toEqual(
      expect.arrayContaining(expected),
    );
  });

  // RFC 6052 section 2.4, with the local-use prefix in the place of 2001:db8.
  test.each([
    ['64:ff9b:1:c000:2:2100::', '192.0.2.33'],
    ['64:ff9b:1:1c0:0:221::', '192.0.2.33'],
    ['64:ff9b:1:122:c0:2:2100::', '192.0.2.33'],
    ['64:ff9b:1:122:344::192.0.2.33', '192.0.2.33'],
  ])('finds the address in the local NAT64 form %s', (text, expected) => {
    expect(embeddedIpv4s(address(text)).map((inner) => inner.text)).toContain(expected);
  });

  test.each(['1.2.3.4', '2606:4700::1', '::1', '::', '2001:db8::7f00:1'])(
    'finds none in %s',
    (text) => {
      expect(embeddedIpv4s(address(text))).toEqual([]);
    },
  );
});
