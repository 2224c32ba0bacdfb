import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesHost } from '../../src/policy/host-pattern.ts';
import { matchesPath, parsePathPattern } from '../../src/policy/path-pattern.ts';
import { BLANK_DEFINITION } from '../../src/secrets/secret-definition.ts';
import { coversHost, secretHostPattern } from '../../src/secrets/secret-hosts.ts';
import { decideWidening } from '../../src/secrets/widening.ts';
import type { SecretDefinition } from '../../src/secrets/secret.ts';

const definition = (part: Partial<SecretDefinition>): SecretDefinition => ({
  ...BLANK_DEFINITION,
  auth: { type: 'bearer' },
  hosts: ['api.example.com'],
  ...part,
});

const label = fc.constantFrom('a', 'b', 'api');
const name = fc.tuple(label, label).map(([one, two]) => `${one}.${two}.example.com`);
const host = fc.oneof(
  name,
  label.map((one) => `${one}.example.com`),
  label.map((one) => `*.${one}.example.com`),
  fc.constant('*.example.com'),
);

test('what is not widening reaches no host that was not reached before', () => {
  const hosts = fc.array(host, { minLength: 1, maxLength: 3 });
  const holds = fc.check(
    fc.property(hosts, hosts, name, (before, after, text) => {
      const reaches = (list: string[]): boolean =>
        list.some((one) => matchesHost(secretHostPattern(one), { kind: 'name', text }));
      const isFree = decideWidening(definition({ hosts: before }), definition({ hosts: after }));
      return isFree.length > 0 || !reaches(after) || reaches(before);
    }),
    { numRuns: 3_000 },
  );
  expect(holds.counterexample).toBeNull();
});

test('what is not widening reaches no path that was not reached before', () => {
  const segment = fc.constantFrom('a', 'b', '*', 'a*');
  const pattern = fc
    .tuple(fc.array(segment, { minLength: 1, maxLength: 3 }), fc.boolean())
    .map(([segments, below]) => `/${segments.join('/')}${below ? '/**' : ''}`);
  const paths = fc.array(pattern, { minLength: 1, maxLength: 2 });
  const literal = fc
    .array(fc.constantFrom('a', 'b', 'ab'), { minLength: 1, maxLength: 4 })
    .map((segments) => `/${segments.join('/')}`);
  const holds = fc.check(
    fc.property(paths, paths, literal, (before, after, path) => {
      const reaches = (list: string[]): boolean =>
        list.some((one) => matchesPath(parsePathPattern(one), path));
      const widened = decideWidening(definition({ paths: before }), definition({ paths: after }));
      return widened.length > 0 || !reaches(after) || reaches(before);
    }),
    { numRuns: 3_000 },
  );
  expect(holds.counterexample).toBeNull();
});

test('the first auth and hosts of a stored secret widen it', () => {
  expect(decideWidening(BLANK_DEFINITION, definition({}))).toEqual(['hosts', 'auth']);
});

test('wildcards cover one label, never the apex', () => {
  expect(coversHost('*.example.com', 'a.example.com')).toBe(true);
  expect(coversHost('*.example.com', 'a.b.example.com')).toBe(false);
  expect(coversHost('*.example.com', 'example.com')).toBe(false);
  expect(coversHost('*.example.com', '*.a.example.com')).toBe(false);
});
