/** I8: no key, no start; a guard that cannot be read, no start. Each time with a sentence that says which. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { Product, startProduct } from '../support/product.ts';

/** Starts over the data of a stopped product; what it said when it did not. */
async function startOver(product: Product): Promise<string> {
  try {
    await product.start();
    return 'started';
  } catch (error) {
    return String(error);
  }
}

async function keyFileOf(product: Product): Promise<string> {
  const names = await readdir(product.dataDirectory, { recursive: true });
  const name = names.find((one) => /key/.test(one));
  if (name === undefined) throw new Error(`no key file in ${names.join(', ')}`);
  return join(product.dataDirectory, name);
}

test('I8 a lost or exchanged master key ends the start, the right one starts again', async () => {
  await using product = await startProduct();
  await product.createSecret('api', mintCanary(), {
    auth: { type: 'bearer' },
    hosts: ['api.example.com'],
  });
  await product.stop();
  const file = await keyFileOf(product);
  const key = await readFile(file);

  await rm(file);
  const lost = await startOver(product);
  expect(lost).not.toBe('started');
  expect(lost).toMatch(/key/i);

  await writeFile(file, randomBytes(32).toString('base64'), { mode: 0o600 });
  const exchanged = await startOver(product);
  expect(exchanged).not.toBe('started');
  expect(exchanged).toMatch(/key/i);

  await writeFile(file, 'not a key', { mode: 0o600 });
  expect(await startOver(product)).toMatch(/key/i);

  await writeFile(file, key, { mode: 0o600 });
  expect(await startOver(product)).toBe('started');
});

test.each([
  ['egress.allow_private', { egress: { allow_private: ['10.0.0.0/8', 'everything'] } }],
  ['egress.allow_private', { egress: { allow_private: ['10.0.0.0/33'] } }],
  ['egress.ports', { egress: { ports: ['all'] } }],
  ['limits', { limits: { connections_max: -1 } }],
])('I8 %s that cannot be read ends the start and is named', async (path, settings) => {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-test-'));
  await using product = new Product(directory, { settings });
  await product.writeSettings();
  const said = await startOver(product);
  expect(said).not.toBe('started');
  expect(said).toContain(path);
});
