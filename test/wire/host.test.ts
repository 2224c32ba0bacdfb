import { describe, expect, test } from 'vitest';
import { formatAuthority, parseAuthority, parseHost } from '../../src/wire/host.ts';

const LOOPBACK_SPELLINGS = [
  '127.0.0.1',
  '127.0.0.1.',
  '127.1',
  '127.0.1',
  '2130706433',
  '0x7f000001',
  '0X7F000001',
  '0x7f.0.0.1',
  '0x7f.1',
  '0177.0.0.1',
  '0177.0.0.01',
  '017700000001',
  '00000177.0.0.1',
  '0x0000007f.0x0.0x0.0x1',
  '127.0x0.00.1',
  '１２７.0.0.1',
  '１２７。０。０。１',
  '127．0．0．1',
  '127｡0｡0｡1',
  '⑫7.0.0.1',
  '127.0.0.¹',
  '[::ffff:127.0.0.1]',
  '::ffff:127.0.0.1',
  '[::ffff:7f00:1]',
  '[::FFFF:7F00:0001]',
  '[0:0:0:0:0:ffff:127.0.0.1]',
  '[0000:0000:0000:0000:0000:ffff:7f00:0001]',
];

describe('parseHost', () => {
  test.each(LOOPBACK_SPELLINGS)('I6 reads %s as 127.0.0.1', (spelling) => {
    expect(parseHost(spelling)).toEqual({ kind: 'ipv4', text: '127.0.0.1' });
  });

  test.each([
    ['example.com', 'example.com'],
    ['EXAMPLE.Com', 'example.com'],
    ['example.com.', 'example.com'],
    ['localhost', 'localhost'],
    ['foo_bar.example', 'foo_bar.example'],
    ['_dmarc.example.com', '_dmarc.example.com'],
    ['-leading.example', '-leading.example'],
    ['r3---sn-abc.example', 'r3---sn-abc.example'],
    ['faß.de', 'xn--fa-hia.de'],
    ['FAẞ.de', 'xn--fa-hia.de'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['BÜCHER.example', 'xn--bcher-kva.example'],
    ['XN--BCHER-KVA.example', 'xn--bcher-kva.example'],
    ['☃.net', 'xn--n3h.net'],
    ['ｅｘａｍｐｌｅ.com', 'example.com'],
    ['exa\u00admple.com', 'example.com'],
    ['example。com', 'example.com'],
    ['Kelvin\u212a.example', 'kelvink.example'],
    ['1password.com', '1password.com'],
    ['0xample.com', '0xample.com'],
    ['3com', '3com'],
    ['1.2.3.example', '1.2.3.example'],
    ['0xfg', '0xfg'],
    ['a'.repeat(63), 'a'.repeat(63)],
  ])('reads the name %s as %s', (spelling, text) => {
    expect(parseHost(spelling)).toEqual({ kind: 'name', text });
  });

  test.each([
    ['::1', '::1'],
    ['[::1]', '::1'],
    ['[0:0:0:0:0:0:0:1]', '::1'],
    ['[2001:DB8::0:1]', '2001:db8::1'],
    ['[2001:db8:0:0:1:0:0:1]', '2001:db8::1:0:0:1'],
    ['[2001:db8:0:1:1:1:1:1]', '2001:db8:0:1:1:1:1:1'],
    ['[::127.0.0.1]', '::7f00:1'],
    ['[64:ff9b::7f00:1]', '64:ff9b::7f00:1'],
    ['[64:ff9b::127.0.0.1]', '64:ff9b::7f00:1'],
    ['[::]', '::'],
    ['[1::]', '1::'],
  ])('reads the IPv6 address %s as %s', (spelling, text) => {
    expect(parseHost(spelling)).toEqual({ kind: 'ipv6', text });
  });

  test.each([
    '',
    '.',
    '..',
    'a..b',
    '.example.com',
    'example.com..',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(126)}ab`,
    'exa mple.com',
    'exa\tmple.com',
    'example.com\n',
    'example.com\0',
    'ex%61mple.com',
    '127.0.0.%31',
    'user@example.com',
    'example.com/path',
    'example.com?x',
    'example.com#x',
    'example.com\\x',
    'example.com:443',
    'a!b.example',
    'a*b.example',
    "a'b.example",
    'a,b.example',
    'a;b.example',
    '999.1.1.1',
    '256.256.256.256',
    '1.2.3.4.5',
    '4294967296',
    '0x100000000',
    '08.0.0.1',
    '0xg.1',
    'foo.1',
    'foo.0x1',
    '1..1',
    '127.0.0.1..',
    '[127.0.0.1]',
    '[::1',
    '::1]',
    '[]',
    '[[::1]]',
    'fe80::1%eth0',
    '[fe80::1%25eth0]',
    '[fe80::1%1]',
    '[::1]x',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    ':::',
    '::12345',
    '::ffff:127.1',
    '::ffff:0127.0.0.1',
    '::g',
    '[v1.fe80]',
    'a％b.example',
    'a／b.example',
    'a＠b.example',
    'a：443',
    '\ud800.example',
    'xn--\u00e9.example',
  ])('I6 refuses %j', (spelling) => {
    expect(() => parseHost(spelling)).toThrow(expect.objectContaining({ code: 'bad_request' }));
  });

  test('never repeats the input in its message', () => {
    expect(() => parseHost('se cret')).toThrow(/^((?!se cret).)*$/);
  });
});

describe('parseAuthority', () => {
  test.each([
    ['example.com:443', null, 'example.com', 443],
    ['EXAMPLE.com.:8443', null, 'example.com', 8443],
    ['example.com', 443, 'example.com', 443],
    ['[::1]:443', null, '::1', 443],
    ['[::1]', 80, '::1', 80],
    ['[::ffff:1.2.3.4]:1', null, '1.2.3.4', 1],
    ['0x7f.1:65535', null, '127.0.0.1', 65_535],
  ])('reads %s with default port %s', (text, defaultPort, host, port) => {
    const authority = parseAuthority(text, defaultPort);
    expect({ host: authority.host.text, port: authority.port }).toEqual({ host, port });
  });

  test.each([
    'example.com',
    'example.com:',
    ':443',
    ':',
    '',
    'example.com:0',
    'example.com:0443',
    'example.com:65536',
    'example.com:99999999',
    'example.com:+443',
    'example.com:-1',
    'example.com:443 ',
    ' example.com:443',
    'example.com: 443',
    'example.com:4４3',
    'example.com:0x1bb',
    'example.com:443:443',
    'example.com:443/',
    'http://example.com:443',
    'user:pass@example.com:443',
    'user@example.com:443',
    '::1:443',
    '[::1]443',
    '[::1]:',
    '[::1',
    '[fe80::1%eth0]:443',
    `${'a'.repeat(63)}.`.repeat(4) + 'a:443',
    `${'a.'.repeat(140)}:443`,
  ])('I6 refuses %j as a CONNECT target', (text) => {
    expect(() => parseAuthority(text, null)).toThrow(
      expect.objectContaining({ code: 'bad_request' }),
    );
  });

  test('accepts the longest legal CONNECT authority', () => {
    const name = [63, 63, 63, 61].map((length) => 'a'.repeat(length)).join('.');
    expect(parseAuthority(`${name}:65535`, null).host.text).toHaveLength(253);
  });

  test('formats what it parsed', () => {
    expect(formatAuthority(parseAuthority('[::1]:443', null), 443)).toBe('[::1]');
    expect(formatAuthority(parseAuthority('[::1]:444', null), 443)).toBe('[::1]:444');
    expect(formatAuthority(parseAuthority('A.example:80', null), 443)).toBe('a.example:80');
  });
});
