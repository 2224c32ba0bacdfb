import { describe, expect, test } from 'vitest';
import {
  checkConnectionOptions,
  connectionOptions,
  isConnectionOwned,
  isHopByHop,
} from '../../src/wire/hop-by-hop.ts';

const NOTHING: ReadonlySet<string> = new Set();

describe('hop-by-hop fields', () => {
  test.each([
    'connection',
    'keep-alive',
    'proxy-authorization',
    'proxy-connection',
    'proxy-authenticate',
    'proxy-anything',
    'te',
    'transfer-encoding',
    'upgrade',
    'http2-settings',
  ])('%s never travels', (name) => {
    expect(isHopByHop(name)).toBe(true);
  });

  test.each(['authorization', 'trailer', 'host', 'cookie', 'proxy', 'x-proxy-authorization'])(
    '%s is not hop-by-hop',
    (name) => {
      expect(isHopByHop(name)).toBe(false);
    },
  );

  test('the connection owns what it writes itself', () => {
    expect(['host', 'content-length', 'expect', 'te'].every(isConnectionOwned)).toBe(true);
    expect(['authorization', 'trailer', 'accept'].some(isConnectionOwned)).toBe(false);
  });
});

describe('Connection options', () => {
  test('come from every line, in any case and spelling, without empty elements', () => {
    const fields = ['Connection', 'close, X-Foo', 'Host', 'h', 'CONNECTION', ' ,\tx_Bar ,'];
    expect(connectionOptions(fields)).toEqual(['close', 'x-foo', 'x-bar']);
    expect(connectionOptions(['Host', 'h'])).toEqual([]);
  });

  test.each(['close', 'keep-alive', 'Upgrade', 'TE', 'x-custom, close', 'cookie', ''])(
    '%j is accepted',
    (value) => {
      expect(() =>
        checkConnectionOptions(connectionOptions(['Connection', value]), NOTHING),
      ).not.toThrow();
    },
  );

  test.each([
    'host',
    'close, Host',
    'content-length',
    'Content_Length',
    'transfer-encoding',
    'transfer_encoding',
    'trailer',
    'x foo',
    'x-foo;q=1',
    'x-foo:1',
    '"close"',
    'authorization',
    'Authorization',
    'X_API_KEY',
  ])('I6 %j is refused', (value) => {
    const protectedNames = new Set(['authorization', 'x-api-key']);
    expect(() =>
      checkConnectionOptions(connectionOptions(['Connection', value]), protectedNames),
    ).toThrow(expect.objectContaining({ code: 'bad_request' }));
  });
});
