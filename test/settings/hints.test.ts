import { expect, test } from 'vitest';
import { REFUSALS } from '../../src/kernel/errors.ts';
import { SETTING_ROWS } from '../../src/settings/setting-table.ts';

const sections = new Set([...SETTING_ROWS.keys()].map((path) => path.split('.', 1).join('')));

test('every setting a refusal hints at exists under that name', () => {
  const named = Object.values(REFUSALS)
    .flatMap(({ hint }) => hint.match(/\b[a-z]+\.[A-Za-z_]+/g) ?? [])
    .filter((word) => sections.has(word.split('.', 1).join('')));
  const known = [...SETTING_ROWS.keys()];
  const missing = named.filter((path) => !known.some((row) => `${row}.`.startsWith(`${path}.`)));
  expect(named.length).toBeGreaterThan(5);
  expect(missing).toEqual([]);
});
