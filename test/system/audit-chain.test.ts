/** `audit.chain: on` on the whole product, verified from the command line; a row changed in the database is named. */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import SqliteFile from 'better-sqlite3';
import { expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import type { Product } from '../support/product.ts';
import { startScene } from '../support/scene.ts';

const MAIN = resolve(import.meta.dirname, '../../cli/main.ts');
const HOST = 'api.example.test';

function verify({ admin }: Product, ...more: readonly string[]) {
  const args = [MAIN, 'audit', 'verify', '--url', admin.origin, ...more];
  const env = { ...process.env, SALLYPORT_API_KEY: admin.key };
  return spawnSync(process.execPath, args, { encoding: 'utf8', env });
}

test('intact until a row is changed; then the command fails and names it', async () => {
  const settings = { audit: { chain: 'on' } };
  await using scene = await startScene({ names: [HOST], settings });
  const { product } = scene;
  const value = mintCanary();
  await product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
  const sandbox = await product.createSandbox({ secrets: { API_KEY: 'api' } });
  {
    using tunnel = await product.openTunnel(sandbox, `${HOST}:443`);
    for (let count = 0; count < 20; count += 1) await tunnel.request({ path: `/${count}` });
  }
  await eventually(() => {
    expect(verify(product).stdout).toContain('uses: 20 rows are intact; head uses:20:');
  });
  const head = /head (\S+)/.exec(verify(product).stdout)?.[1] ?? '';
  expect(verify(product, '--known', head).status).toBe(0);
  const other = verify(
    product,
    '--known',
    head.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
  );
  expect([other.status === 0, other.stdout.includes('not the chain')]).toEqual([false, true]);
  const { key } = await product.admin.must('POST', '/api-keys', { name: 'v', role: 'viewer' });
  expect((await product.admin.withKey(key).get('/audit/verify')).status).toBe(403);

  await product.stop();
  const file = new SqliteFile(join(product.dataDirectory, 'sallyport.db'));
  file.exec("update audit_events set path = '/innocent' where id = 7");
  file.close();
  await product.start();
  const broken = verify(product);
  expect(broken.stdout).toContain('uses: 6 rows fit, then event 7 does not');
  expect(broken.stderr).toContain('the trail is not as it was written');
  expect(broken.status).not.toBe(0);
  await product.assertNoLeak(value);
});

test('off, there is nothing to verify', async () => {
  await using scene = await startScene({ names: [HOST] });
  expect((await scene.product.admin.get('/audit/verify')).status).toBe(409);
  expect(verify(scene.product).stderr).toContain('audit.chain is off');
});
