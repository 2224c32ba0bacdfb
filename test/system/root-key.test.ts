/** A fresh install gets a root key from the environment or on its data directory, and it acts everywhere. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { startProduct } from '../support/product.ts';

const MAIN = resolve(import.meta.dirname, '../../cli/main.ts');
const mint = (): string => `sp_live_${randomBytes(32).toString('base64url')}`;

test('the root key of the environment makes organizations; another text replaces it', async () => {
  const first = mint();
  const environment: Record<string, string> = { SALLYPORT_ROOT_KEY: first };
  await using product = await startProduct({ env: environment });
  const root = product.admin.withKey(first);
  expect((await product.admin.post('/organizations', { name: 'tenant' })).status).toBe(403);
  expect((await root.post('/organizations', { name: 'tenant' })).status).toBe(201);
  expect((await root.get('/metrics')).status).toBe(200);
  const keys = await product.admin.must('GET', '/api-keys');
  const { id } = keys.find(({ role }: { role: string }) => role === 'root');
  expect((await product.admin.delete(`/api-keys/${id}`)).status).toBe(403);

  await product.restart();
  expect((await product.admin.withKey(first).get('/organizations')).status).toBe(200);
  const second = mint();
  environment['SALLYPORT_ROOT_KEY'] = second;
  await product.restart();
  expect((await product.admin.withKey(second).get('/organizations')).status).toBe(200);
  expect((await product.admin.withKey(first).get('/organizations')).status).toBe(401);
  expect(product.output.stdout + product.output.stderr).not.toContain(first);
  await product.assertNoLeak([first, second]);

  await product.stop();
  const args = [MAIN, 'key', 'create-root', '--data-dir', product.dataDirectory];
  const made = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: product.directory });
  expect(made.stderr).toBe('');
  const [third = ''] = made.stdout.split(' ');
  await product.start();
  expect((await product.admin.withKey(third).get('/organizations')).status).toBe(200);
  expect((await product.admin.withKey(second).get('/organizations')).status).toBe(200);

  const refused = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: product.directory });
  expect(refused.status).toBe(3);
  expect(refused.stderr).toContain('Another Sallyport is running');
});

test('what cannot be a root key is refused at start, without being repeated', async () => {
  const key = mint();
  const start = startProduct({
    env: { SALLYPORT_ROOT_KEY: 'short', SALLYPORT_BOOTSTRAP_KEY: key },
  });
  await expect(start).rejects.toThrow(/SALLYPORT_ROOT_KEY cannot be used/);
  const same = startProduct({ env: { SALLYPORT_ROOT_KEY: key, SALLYPORT_BOOTSTRAP_KEY: key } });
  await expect(same).rejects.toThrow(/is the key bootstrap already/);
});
