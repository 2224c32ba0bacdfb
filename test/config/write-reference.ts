/** Writes `config/reference.yaml`, and the settings table of the README where its marks are. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { TABLE_MARKS, formatReference, formatSettingsTable } from './reference.ts';

const root = new URL('../../', import.meta.url);
writeFileSync(new URL('config/reference.yaml', root), formatReference());
const readme = new URL('README.md', root);
const text = existsSync(readme) ? readFileSync(readme, 'utf8') : '';
const [begin, end] = TABLE_MARKS;
if (text.includes(begin)) {
  const before = text.slice(0, text.indexOf(begin) + begin.length);
  const after = text.slice(text.indexOf(end));
  writeFileSync(readme, `${before}\n${formatSettingsTable()}\n${after}`);
}
