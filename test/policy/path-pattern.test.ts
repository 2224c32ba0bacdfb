/** Path patterns and their two readings: every encoding trick that moves a path past its pattern. */
import { describe, expect, test } from 'vitest';
import { judgePath, matchesPath, parsePathPattern } from '../../src/policy/path-pattern.ts';
import { pathReadings } from '../../src/wire/path-readings.ts';

function covers(pattern: string, path: string): boolean {
  return matchesPath(parsePathPattern(pattern), path);
}

function judge(pattern: string, path: string): boolean | undefined {
  const normalized = pathReadings(path)?.normalized;
  return judgePath([parsePathPattern(pattern)], { asSent: path, normalized });
}

describe('one reading', () => {
  test.each([
    ['/v1/models', '/v1/models'],
    ['/', '/'],
    ['/**', '/'],
    ['/**', '/a/b/c'],
    ['/v1/**', '/v1/'],
    ['/v1/**', '/v1/a/b'],
    ['/repos/*/issues', '/repos/x/issues'],
    ['/repos/*/*/issues/**', '/repos/o/r/issues/1'],
    ['/v1/file-*', '/v1/file-abc'],
    ['/v1/file-*', '/v1/file-'],
    ['/a*b*c/d', '/axxbyyc/d'],
    ['/bot*/send*', '/bot123/sendMessage'],
    ['/dir/', '/dir/'],
    ['/*.git/**', '/x.git/info/refs'],
  ])('%s covers %s', (pattern, path) => expect(covers(pattern, path)).toBe(true));

  test.each([
    ['/v1/models', '/v1/models/'],
    ['/v1/models', '/v1/model'],
    ['/v1/models', '/V1/models'],
    ['/v1/**', '/v1'],
    ['/v1/**', '/v1x/a'],
    ['/v1/**', '/v11'],
    ['/repos/*/issues', '/repos/a/b/issues'],
    ['/repos/*/issues', '/repos//issues'],
    ['/repos/*', '/repos/'],
    ['/repos/*/issues/**', '/repos/x/issues'],
    ['/a*b', '/ab/c'],
    ['/ab*ba', '/aba'],
    ['/', '/x'],
  ])('%s does not cover %s', (pattern, path) => expect(covers(pattern, path)).toBe(false));
});

describe('I6: both readings must agree', () => {
  test.each([
    '/v1/public/../admin',
    '/v1/public/%2e%2e/admin',
    '/v1/public/%2E./admin',
    '/v1/public/..%2fadmin',
    '/v1/public/%252e%252e/admin',
    '/v1/public/%25252e%25252e/admin',
    '/v1/public/..;x=1/admin',
    '/v1/public/..\\admin',
    '/v1/public/%5c..%5c..%5cadmin',
    '/v1/public/a/../../admin',
  ])('%s is not under /v1/public/**', (path) => {
    expect(judge('/v1/public/**', path)).toBeUndefined();
  });

  test.each(['/v1//public/x', '/%76%31/public/x', '/v1/./public/x', '/v1;a/public/x'])(
    '%s does not pass for /v1/public/** because only one reading does',
    (path) => expect(judge('/v1/public/**', path)).toBeUndefined(),
  );

  test.each(['/v1/public/a%20b', '/v1/public/a%2Fb', '/v1/public/100%25'])(
    '%s stays under /v1/public/** in both',
    (path) => expect(judge('/v1/public/**', path)).toBe(true),
  );

  test.each(['/v1/public/%00', '/v1/public/%0d%0aX', '/v1/public/%ff', '/%25252525252e'])(
    '%s has no second reading',
    (path) => expect(judge('/v1/public/**', path)).toBeUndefined(),
  );
});

test.each([
  '',
  'v1',
  '/v1/**/x',
  '/a**',
  '/a//b',
  '/a/../b',
  '/./a',
  '/a%20b',
  '/a;b',
  '/a?b',
  '/a#b',
  '/a b',
  '/é',
  '/a\\b',
  '/a//**',
])('refuses to parse %j', (text) => {
  expect(() => parsePathPattern(text)).toThrow(JSON.stringify(text));
});

test('a longer literal prefix is more specific', () => {
  const lengths = ['/**', '/v1/*', '/v1/**', '/v1/models'].map(
    (text) => parsePathPattern(text).literalLength,
  );
  expect(lengths).toEqual([1, 4, 4, 10]);
});
