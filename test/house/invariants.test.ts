/** Every invariant of spec house.md is cited by number in the name of an attack or system test. */
import { expect, test } from 'vitest';
import { readSourceFiles } from './source-tree.ts';

const tests = readSourceFiles(['test/attack', 'test/system']).filter((file) =>
  file.file.endsWith('.test.ts'),
);

test('there are attack and system tests to look at', () => {
  expect(tests.length).toBeGreaterThan(10);
});

test.each(['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8'])('%s is cited', (invariant) => {
  const citing = tests.filter((file) =>
    new RegExp(`(test|describe)[^\\n]*\\n?[^\\n]*\\b${invariant}\\b`).test(file.code),
  );
  expect(citing.length).toBeGreaterThan(0);
});
