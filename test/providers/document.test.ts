import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { formatProviderTable, withProviderTable } from './provider-table.ts';

const text = readFileSync(new URL('../../docs/PROVIDERS.md', import.meta.url), 'utf8');

test('docs/PROVIDERS.md is what test/providers/write-providers.ts writes', () => {
  expect(text).toContain('| [openai](');
  expect(formatProviderTable().split('\n').length).toBeGreaterThan(130);
  expect(withProviderTable(text)).toBe(text);
});
