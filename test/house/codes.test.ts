/** Every row of the closed table of refusals is named by an attack or system test: none is forgotten. */
import { expect, test } from 'vitest';
import { AUDIT_ONLY_CODES, REFUSALS } from '../../src/kernel/errors.ts';
import { readSourceFiles } from './source-tree.ts';

const tests = readSourceFiles(['test/attack', 'test/system']).filter((file) =>
  file.file.endsWith('.test.ts'),
);

test.each([...Object.keys(REFUSALS), ...AUDIT_ONLY_CODES])('%s is named', (code) => {
  const reaching = tests.filter((file) => new RegExp(`\\b${code}\\b`).test(file.code));
  expect(reaching.map((file) => file.file)).not.toEqual([]);
});
