/** Host patterns: the adversary's spellings of hosts against what secrets and network rules name. */
import { describe, expect, test } from 'vitest';
import { matchesHost, parseHostPattern } from '../../src/policy/host-pattern.ts';
import { parseHost } from '../../src/wire/host.ts';

function covers(pattern: string, host: string, depth: 'one' | 'any' = 'one'): boolean {
  return matchesHost(parseHostPattern(pattern, depth), parseHost(host));
}

describe('an exact pattern', () => {
  test.each([
    ['api.example.com', 'api.example.com'],
    ['API.Example.COM', 'api.example.com'],
    ['api.example.com.', 'api.example.com'],
    ['api.example.com', 'API.EXAMPLE.COM.'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['127.0.0.1', '0x7f.1'],
    ['127.0.0.1', '[::ffff:127.0.0.1]'],
    ['[2001:DB8::1]', '2001:db8:0::1'],
  ])('%s covers %s', (pattern, host) => {
    expect(covers(pattern, host)).toBe(true);
  });

  test.each([
    ['api.example.com', 'api.example.com.evil.example'],
    ['api.example.com', 'xapi.example.com'],
    ['api.example.com', 'example.com'],
    ['api.example.com', 'a.api.example.com'],
    ['example.com', 'notexample.com'],
    ['api.example.com', 'api-example.com'],
    ['api.example.com', 'аpi.example.com'],
    ['127.0.0.1', '127.0.0.2'],
  ])('%s does not cover %s', (pattern, host) => {
    expect(covers(pattern, host)).toBe(false);
  });
});

describe('a wildcard of a secret stands for exactly one label', () => {
  test('one label', () => expect(covers('*.example.com', 'api.example.com')).toBe(true));
  test('any case and a trailing dot', () =>
    expect(covers('*.EXAMPLE.com', 'API.example.com.')).toBe(true));
  test('an IDNA label', () => expect(covers('*.example.com', 'bücher.example.com')).toBe(true));
  test.each([
    'example.com',
    'a.b.example.com',
    'notexample.com',
    'api.example.com.evil.example',
    'apiexample.com',
    '93.184.216.34',
  ])('never %s', (host) => expect(covers('*.example.com', host)).toBe(false));
});

describe('a wildcard of a network rule stands for any depth', () => {
  test.each(['api.example.com', 'a.b.c.example.com'])('%s', (host) =>
    expect(covers('*.example.com', host, 'any')).toBe(true),
  );
  test.each(['example.com', 'notexample.com', 'example.com.evil.example'])('never %s', (host) =>
    expect(covers('*.example.com', host, 'any')).toBe(false),
  );
});

test.each([
  '*',
  '*.*.example.com',
  'api.*.com',
  'a*.example.com',
  '*example.com',
  '*.10.0.0.1',
  'https://example.com',
  'example.com/path',
  'exa mple.com',
  'user@example.com',
  '',
  '..',
  'fe80::1%eth0',
])('refuses to parse %j with an error that quotes it', (text) => {
  expect(() => parseHostPattern(text, 'one')).toThrow(JSON.stringify(text));
});
