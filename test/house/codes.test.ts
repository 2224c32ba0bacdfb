/** Every row of the closed table of refusals is reached by a test that drives sockets from outside. */
import { expect, test } from 'vitest';
import { AUDIT_ONLY_CODES, REFUSALS } from '../../src/kernel/errors.ts';
import { readSourceFiles } from './source-tree.ts';

const tests = readSourceFiles(['test/attack', 'test/system']).filter((file) =>
  file.file.endsWith('.test.ts'),
);

test.each([...Object.keys(REFUSALS), ...AUDIT_ONLY_CODES])('%s is reached', (code) => {
  const reaching = tests.filter((file) => new RegExp(`\\b${code}\\b`).test(file.code));
  expect(reaching.map((file) => file.file)).not.toEqual([]);
});
