/** Writes the table of docs/PROVIDERS.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { withProviderTable } from './provider-table.ts';

const file = new URL('../../docs/PROVIDERS.md', import.meta.url);
writeFileSync(file, withProviderTable(readFileSync(file, 'utf8')));
