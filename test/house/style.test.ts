/** Names, file heads and sizes (spec house.md, "Style"). */
import path from 'node:path';
import { expect, test } from 'vitest';
import { PRODUCT_FOLDERS, readSourceFiles } from './source-tree.ts';

const files = readSourceFiles(PRODUCT_FOLDERS);

test('files are kebab-case nouns', () => {
  const broken = files
    .map((file) => path.basename(file.file))
    .filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(name));
  expect(broken).toEqual([]);
});

test('no file is named after nothing', () => {
  const broken = files.filter((file) =>
    /(^|\/|-)(utils?|helpers?|manager|types|common|misc)\.ts$|\/index\.ts$/.test(file.file),
  );
  expect(broken.map((file) => file.file)).toEqual([]);
});

test('every file opens by saying what it is', () => {
  const broken = files.filter((file) => !/^(#!.*\n)?\/\*\*\s*\n? ?\*? ?\S/.test(file.text));
  expect(broken.map((file) => file.file)).toEqual([]);
});

test('the median file is under 120 lines, and none is a hub of more than 400', () => {
  const lengths = files.map((file) => file.text.split('\n').length).sort((a, b) => a - b);
  expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThan(120);
  // THE table of failures is one table on purpose; its rows are data.
  const long = files.filter(
    (file) => file.text.split('\n').length > 400 && file.file !== 'src/kernel/errors.ts',
  );
  expect(long.map((file) => file.file)).toEqual([]);
});

test('no default exports and no barrels', () => {
  const broken = files.filter(
    (file) => /\bexport default\b/.test(file.code) || /\bexport \* from\b/.test(file.code),
  );
  expect(broken.map((file) => file.file)).toEqual([]);
});
