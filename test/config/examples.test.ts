import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadSettings } from '../../src/settings/load-settings.ts';
import { SETTING_ROWS } from '../../src/settings/setting-table.ts';
import { formatReference } from './reference.ts';

const folder = fileURLToPath(new URL('../../config/', import.meta.url));
const CATALOGUE = 'providers.json';
const examples = readdirSync(folder).filter((name) => name !== CATALOGUE);
const load = (file: string | null) => loadSettings({ file, env: {}, flags: {}, cwd: '/srv' });

function hasKey(tree: unknown, [key, ...rest]: readonly string[]): boolean {
  if (key === undefined) return true;
  if (typeof tree !== 'object' || tree === null || !Object.hasOwn(tree, key)) return false;
  return hasKey((tree as Record<string, unknown>)[key], rest);
}

test('there are examples', () => {
  expect(examples).toEqual(
    expect.arrayContaining(['laptop.yaml', 'strict.yaml', 'server.yaml', 'reference.yaml']),
  );
});

test.each(examples)('config/%s loads', (name) => {
  const { settings, given } = load(folder + name);
  expect(settings.limits.headBytesMax).toBeGreaterThan(0);
  expect([...given.values()].some(({ source }) => source === 'file')).toBe(true);
});

test('the examples do what they say', () => {
  const strict = load(`${folder}strict.yaml`).settings;
  expect(strict.egress.default).toBe('deny');
  expect(strict.egress.ports).toEqual([{ from: 443, to: 443 }]);
  expect(strict.audit.onFull).toBe('refuse');
  const server = load(`${folder}server.yaml`).settings;
  expect(server.proxy.listen).toEqual({ host: null, port: 3128 });
  expect(server.admin.tls?.keyFile).toBe('/etc/sallyport/admin.key');
});

describe('the reference', () => {
  const text = readFileSync(`${folder}reference.yaml`, 'utf8');

  test('is what the table of settings says (else: node test/config/write-reference.ts)', () => {
    expect(text).toBe(formatReference());
  });

  test('has every key, each with a comment and its variable', () => {
    const tree: unknown = parse(text);
    const missing = [...SETTING_ROWS.keys()].filter((path) => !hasKey(tree, path.split('.')));
    expect(missing).toEqual([]);
    expect(text.match(/\[SALLYPORT_\w+\]/g)).toHaveLength(SETTING_ROWS.size);
  });

  test('sets nothing but the defaults', () => {
    expect(load(`${folder}reference.yaml`).settings).toEqual(load(null).settings);
  });
});
