import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { matchesPath, parsePathPattern } from '../../src/policy/path-pattern.ts';
import { overlapsPath } from '../../src/secrets/path-overlap.ts';

const overlaps = (one: string, other: string): boolean =>
  overlapsPath(parsePathPattern(one), parsePathPattern(other));

describe('overlapsPath', () => {
  test.each<[string, string, boolean]>([
    ['/a', '/a', true],
    ['/a', '/b', false],
    ['/a/**', '/a/b', true],
    ['/a/**', '/b/**', false],
    ['/**', '/anything/at/all', true],
    ['/*', '/a', true],
    ['/*', '/a/b', false],
    ['/a*c', '/abc', true],
    ['/a*c', '/*b*', true],
    ['/a*', '/b*', false],
    ['/*/x', '/api/**', true],
    ['/v1/*/c', '/v1/b', false],
  ])('%s and %s: %s', (one, other, expected) => {
    expect(overlaps(one, other)).toBe(expected);
    expect(overlaps(other, one)).toBe(expected);
  });

  test('a path that both match is proof of an overlap', () => {
    const segment = fc.stringMatching(/^[ab*]{1,4}$/).filter((text) => !text.includes('**'));
    const pattern = fc
      .tuple(fc.array(segment, { minLength: 1, maxLength: 3 }), fc.boolean())
      .map(([segments, below]) => `/${segments.join('/')}${below ? '/**' : ''}`);
    const literal = fc
      .array(fc.stringMatching(/^[ab]{1,4}$/), { minLength: 1, maxLength: 4 })
      .map((segments) => `/${segments.join('/')}`);
    const holds = fc.check(
      fc.property(pattern, pattern, literal, (one, other, path) => {
        const isShared =
          matchesPath(parsePathPattern(one), path) && matchesPath(parsePathPattern(other), path);
        return !isShared || overlaps(one, other);
      }),
      { numRuns: 5_000 },
    );
    expect(holds.counterexample).toBeNull();
  });

  test('many stars cost no time', () => {
    const stars = `/${'*a'.repeat(120)}`;
    expect(overlaps(stars, `/${'*b'.repeat(120)}`)).toBe(false);
    expect(overlaps(stars, `/${'*b'.repeat(120)}*`)).toBe(true);
  });
});
