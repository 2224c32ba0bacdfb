/**
 * Who may import whom, and who owns which power (spec house.md). Exceptions are listed here with a
 * reason and may only shrink.
 */
import { describe, expect, test } from 'vitest';
import { PRODUCT_FOLDERS, readSourceFiles } from './source-tree.ts';
import type { SourceFile } from './source-tree.ts';

const files = readSourceFiles(PRODUCT_FOLDERS);

/** A module, or the folder it is in, is `area`. */
function isIn(file: string, areas: readonly string[]): boolean {
  return areas.some((area) => file === area || file.startsWith(`${area}/`));
}

function importers(target: RegExp): readonly SourceFile[] {
  return files.filter((file) => file.imports.some((one) => target.test(one.target)));
}

test('the house test sees the house', () => {
  expect(files.length).toBeGreaterThan(150);
  const edges = files.flatMap((file) => file.imports.filter((one) => one.target.endsWith('.ts')));
  expect(edges.length).toBeGreaterThan(500);
  for (const folder of PRODUCT_FOLDERS) {
    expect(files.some((file) => file.file.startsWith(`${folder}/`))).toBe(true);
  }
});

test('every relative import leads to a file that was seen', () => {
  const known = new Set(files.map((file) => file.file));
  const lost = files.flatMap((file) =>
    file.imports
      .filter((one) => one.target.endsWith('.ts') && !known.has(one.target))
      .map((one) => `${file.file} → ${one.target}`),
  );
  expect(lost).toEqual([]);
});

describe('import direction', () => {
  const DOMAIN = [
    'src/kernel',
    'src/wire',
    'src/secrets',
    'src/groups',
    'src/sandboxes',
    'src/organizations',
    'src/providers',
    'src/policy',
    'src/inject',
    'src/mask',
    'src/activity',
  ];
  const RULES: readonly (readonly [from: readonly string[], mustNotImport: readonly string[]])[] = [
    [['src'], ['proxy', 'admin-api', 'cli', 'test', 'bench', 'demo']],
    [['proxy'], ['admin-api', 'cli', 'test', 'bench', 'demo']],
    [['admin-api'], ['proxy', 'cli', 'test', 'bench', 'demo']],
    [['cli'], ['test', 'bench', 'demo']],
    [
      ['src/kernel'],
      ['src/wire', 'src/secrets', 'src/policy', 'src/store', 'src/vault', 'src/egress'],
    ],
    [['src/wire'], ['src/policy', 'src/secrets', 'src/store', 'src/vault', 'src/egress']],
    [DOMAIN, ['src/store', 'src/vault', 'src/egress', 'src/observe', 'src/settings']],
    [['proxy'], ['src/store', 'src/vault']],
    [['admin-api'], ['src/store', 'src/vault', 'src/egress']],
    [['src/vault', 'src/ca', 'src/egress', 'src/audit', 'src/usage'], ['src/settings']],
  ];

  test.each(RULES)('%s does not import %s', (from, mustNotImport) => {
    const broken = files
      .filter((file) => isIn(file.file, from))
      .flatMap((file) =>
        file.imports
          .filter((one) => isIn(one.target, mustNotImport))
          .filter((one) => !(one.isTypeOnly && one.target === 'src/store/instance-store.ts'))
          .map((one) => `${file.file} → ${one.target}`),
      );
    expect(broken).toEqual([]);
  });
});

describe('owned powers', () => {
  const OWNERS: readonly (readonly [power: string, target: RegExp, owners: readonly string[]])[] = [
    ['undici', /^undici$/, ['src/egress', 'cli/admin-client.ts']],
    ['the database drivers', /^(better-sqlite3|kysely|pg)(\/|$)/, ['src/store']],
    ['pino', /^pino$/, ['src/observe']],
    ['prom-client', /^prom-client$/, ['src/observe']],
    ['commander', /^commander$/, ['cli']],
    [
      'zod',
      /^(zod|@hono\/zod-openapi)$/,
      ['src/settings', 'src/policy', 'src/providers', 'admin-api'],
    ],
    ['sockets', /^node:(net|tls|http|https|http2)$/, ['proxy', 'src/egress', 'admin-api/start.ts']],
    ['names', /^node:dns/, ['src/egress/resolver.ts']],
    [
      'ciphers',
      /^node:crypto$/,
      ['src/vault', 'src/ca', 'src/kernel/ids.ts', 'src/audit', 'src/sandboxes/placeholder.ts'],
    ],
    ['http-proxy (the convicted)', /^http-proxy$/, []],
  ];

  test.each(OWNERS)('%s', (_power, target, owners) => {
    const others = importers(target).filter((file) => !isIn(file.file, owners));
    expect(others.map((file) => file.file)).toEqual([]);
  });

  const WORDS: readonly (readonly [power: string, code: RegExp, owners: readonly string[]])[] = [
    ['the environment', /\bprocess\.env\b/, ['src/settings', 'cli/compose.ts']],
    ['the time of day', /\bDate\.now\(|\bnew Date\(\)/, ['src/kernel/clock.ts']],
    ['ending the process', /\bprocess\.exit\(/, []],
    [
      'granting permits (I2)',
      /\bPermit\.grant\(/,
      ['src/policy/decide-exchange.ts', 'src/policy/decide-parent.ts'],
    ],
  ];

  test.each(WORDS)('%s', (_power, code, owners) => {
    const others = files.filter((file) => code.test(file.code) && !isIn(file.file, owners));
    expect(others.map((file) => file.file)).toEqual([]);
  });
});
