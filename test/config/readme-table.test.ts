import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { TABLE_MARKS, formatSettingsTable } from './reference.ts';

test('the README shows every setting (else: node test/config/write-reference.ts)', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [begin, end] = TABLE_MARKS;
  const table = readme.slice(readme.indexOf(begin) + begin.length, readme.indexOf(end)).trim();
  expect(table).toBe(formatSettingsTable());
});
