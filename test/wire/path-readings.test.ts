import { describe, expect, test } from 'vitest';
import { pathReadings } from '../../src/wire/path-readings.ts';

describe('pathReadings', () => {
  test.each([
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a/b/', '/a/b/'],
    ['/a//b', '/a/b'],
    ['//a', '/a'],
    ['/a/./b', '/a/b'],
    ['/a/../b', '/b'],
    ['/a/b/..', '/a/'],
    ['/a/b/.', '/a/b/'],
    ['/../../a', '/a'],
    ['/..', '/'],
    ['/a/%2e%2e/b', '/b'],
    ['/a/%2E./b', '/b'],
    ['/a/.%2e/b', '/b'],
    ['/a/%252e%252e/b', '/b'],
    ['/a/%25252e%25252e/b', '/b'],
    ['/a%2Fb', '/a/b'],
    ['/a/..%2fb', '/b'],
    ['/a/%2e%2e%2fb', '/b'],
    ['/a%252F..%252Fb', '/b'],
    ['/a\\..\\b', '/b'],
    ['/a%5c..%5Cb', '/b'],
    ['/a/..;/b', '/b'],
    ['/a/..;x=y/b', '/b'],
    ['/a/..%3b/b', '/b'],
    ['/a;v=1/b;w', '/a/b'],
    ['/;/a', '/a'],
    ['/a/.../b', '/a/.../b'],
    ['/.well-known/x', '/.well-known/x'],
    ['/a/..b', '/a/..b'],
    ['/100%25', '/100%'],
    ['/a%zz', '/a%zz'],
    ['/%', '/%'],
    ['/caf%C3%A9', '/café'],
    ['/%c3%a9/%2e%2E/b', '/b'],
    ['/a%20b', '/a b'],
  ])('%s is understood as %s', (path, normalized) => {
    expect(pathReadings(path)).toEqual({ asSent: path, normalized });
  });

  test.each([
    '',
    '*',
    'a',
    '/%00',
    '/%2500',
    '/a%0d%0ab',
    '/a%09',
    '/a%7f',
    '/%ff',
    '/%c0%af',
    '/%c0%ae%c0%ae/a',
    '/%e0%80%af',
    '/%ed%a0%80',
    '/%2525252e',
    '/%2525252525',
  ])('I6 %s has no reading', (path) => {
    expect(pathReadings(path)).toBeUndefined();
  });
});
