/** What stands for the address guard where only the parent proxy resolves: the name itself. */
import { expect, test } from 'vitest';
import { readInsideName } from '../../src/policy/inside-name.ts';
import { parseHost } from '../../src/wire/host.ts';

const own: ReadonlySet<string> = new Set(['gateway.example.com']);

test.each([
  ['localhost', 'loopback'],
  ['a.localhost', 'loopback'],
  ['db', 'private'],
  ['metadata', 'metadata'],
  ['METADATA.google.internal.', 'metadata'],
  ['metadata.goog', 'metadata'],
  ['vault.internal', 'private'],
  ['printer.local', 'private'],
  ['router.home.arpa', 'private'],
  ['api.default.svc', 'private'],
  ['gateway.example.com', 'listener'],
  ['api.example.com', null],
  ['internal.example.com', null],
  ['notinternal', 'private'],
  ['x.notinternal', null],
])('%s: %s', (name, found) => {
  expect(readInsideName(parseHost(name), own)).toBe(found);
});
