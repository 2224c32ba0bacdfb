/**
 * `sallyport key rotate` on the running product: killed half-way it goes on, requests never notice, and
 * afterwards the old key opens nothing that is stored.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { valuesOf } from '../support/origin.ts';
import { startScene } from '../support/scene.ts';

const HOST = 'api.example.test';
const SECRETS = 400;

interface Progress {
  readonly key_id: string;
  readonly done: number;
  readonly total: number;
  readonly complete: boolean;
}

test('I3: killed in the middle, resumed, and the old key taken away', async () => {
  await using scene = await startScene({ names: [HOST] });
  const { product } = scene;
  const value = mintCanary();
  await product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
  for (let begin = 0; begin < SECRETS; begin += 50) {
    await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        product.createSecret(`filler_${begin + index}`, `${value}-${index}`, {
          auth: { type: 'bearer' },
          hosts: ['filler.example.test'],
        }),
      ),
    );
  }
  const sandbox = await product.createSandbox({ secrets: { API_KEY: 'api' } });
  const ask = async (): Promise<string[]> => {
    using tunnel = await product.openTunnel(sandbox, `${HOST}:443`);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
    return valuesOf(scene.origin.last.rawHeaders, 'authorization');
  };
  expect(await ask()).toEqual([`Bearer ${value}`]);

  // Killed as soon as something was sealed anew.
  const { origin, key } = product.admin;
  const response = await fetch(`${origin}/vault/rewrap`, {
    method: 'POST',
    headers: { 'x-api-key': key, 'content-type': 'application/json' },
    body: '{"new_key":true}',
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!/"done":[1-9]/.test(text)) text += (await reader?.read())?.value ?? '';
  await product.restart('kill');
  await reader?.cancel().catch(() => undefined);
  expect(await ask()).toEqual([`Bearer ${value}`]);
  const half = (await product.admin.must('GET', '/vault/keys')) as { envelopes: number }[];
  expect(half.every(({ envelopes }) => envelopes > 0)).toBe(true);
  expect(half).toHaveLength(2);

  const lines = (await product.admin.post('/vault/rewrap', {})).text.trim().split('\n');
  const last = JSON.parse(lines.at(-1) ?? '') as Progress;
  expect(last).toMatchObject({ complete: true, failed: 0 });
  const keys = await product.admin.must('GET', '/vault/keys');
  expect(keys).toMatchObject([
    { key_id: last.key_id, active: true },
    { active: false, held: true, envelopes: 0 },
  ]);
  expect(await ask()).toEqual([`Bearer ${value}`]);

  const file = join(product.dataDirectory, 'master.key');
  const [first] = (await readFile(file, 'utf8')).split('\n');
  await writeFile(file, `${first}\n`);
  await product.restart();
  expect(await ask()).toEqual([`Bearer ${value}`]);
  const activity = await product.admin.must('GET', '/activity?limit=100');
  const actions = activity.data.map(({ action }: { action: string }) => action);
  expect(actions.filter((action: string) => action === 'vault.rewrap')).toHaveLength(2);
  await product.assertNoLeak(value);
});

test('only for the instance: not for another organization, nor a narrowed key', async () => {
  await using scene = await startScene({ names: [HOST] });
  const { admin } = scene.product;
  const { key } = await admin.must('POST', '/api-keys', { name: 'op', role: 'operator' });
  expect((await admin.withKey(key).get('/vault/keys')).status).toBe(403);
  expect((await admin.withKey(key).post('/vault/rewrap', {})).status).toBe(403);
});
