import { describe, expect, test } from 'vitest';
import {
  joinQuery,
  queryPairs,
  splitQuery,
  withoutQueryKeys,
  withQueryPair,
} from '../../src/wire/query-keys.ts';

const isKey = (key: string) => key === 'key';

describe('query keys', () => {
  test.each([
    ['/a', '/a', null],
    ['/a?', '/a', ''],
    ['/a?b?c', '/a', 'b?c'],
  ])('splits and joins %s', (target, path, query) => {
    expect(splitQuery(target)).toEqual({ path, query });
    expect(joinQuery(path, query)).toBe(target);
  });

  test('decodes once, + as space, and keeps what is no escape', () => {
    const pairs = queryPairs('k%65y=v%20w&a+b;c=%2525&%zz=%&=e&f=%ff&');
    expect(pairs.map(({ key, value }) => [key, value])).toEqual([
      ['key', 'v w'],
      ['a b', ''],
      ['c', '%25'],
      ['%zz', '%'],
      ['', 'e'],
      ['f', '\ufffd'],
    ]);
    expect(pairs[0]?.rawValue).toBe('v%20w');
  });

  test.each([
    ['a=1&key=x&b=2', 'a=1&b=2'],
    ['key=x&a=1', 'a=1'],
    ['a=1&key=x', 'a=1'],
    ['key=x', null],
    ['key', null],
    ['key=x;key=y&key=z', null],
    ['a=1;k%65y=x;b=2', 'a=1;b=2'],
    ['%6b%65%79=x&a=1', 'a=1'],
    ['Key=x&keys=y&xkey=z', 'Key=x&keys=y&xkey=z'],
    ['a=key&b=1', 'a=key&b=1'],
    ['k%2565y=x', 'k%2565y=x'],
    ['', ''],
    ['&&', '&&'],
    ['a=%zz&&b;+&key=1&c', 'a=%zz&&b;+&c'],
  ])('%s without key is %s', (query, expected) => {
    expect(withoutQueryKeys(query, isKey)).toBe(expected);
  });

  test.each([
    ['/a', '/a?key=v%26w'],
    ['/a?', '/a?key=v%26w'],
    ['/a?b=1', '/a?b=1&key=v%26w'],
    ['/a?b=1&', '/a?b=1&key=v%26w'],
    ['/?a?b', '/?a?b&key=v%26w'],
  ])('adds a pair to %s', (target, expected) => {
    expect(withQueryPair(target, 'key', 'v%26w')).toBe(expected);
  });
});
