import { expect, test } from 'vitest';
import { nearestTo } from '../../src/settings/nearest.ts';

const known = ['proxy.listen', 'admin.listen', 'egress.ports', 'egress.allow_private', 'log.level'];

test.each([
  ['egress.port', 'egress.ports'],
  ['egress.allowPrivate', 'egress.allow_private'],
  ['EGRESS.PORTS', 'egress.ports'],
  ['level', 'log.level'],
  ['listen', 'proxy.listen'],
  ['something.else.entirely', undefined],
  ['', undefined],
])('%s is nearest to %s', (given, expected) => {
  expect(nearestTo(given, known)).toBe(expected);
});
