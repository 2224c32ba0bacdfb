/**
 * `kill -9` at any moment while everything that can be replaced is being replaced at once: values, master key,
 * CA. It starts again each time; what was acknowledged is what is used; nothing is sealed with a key that is
 * lost; the CA that is handed out is the one that signs. (Of values and events alone: `faults.test.ts`.)
 */
import { setTimeout as delay } from 'node:timers/promises';
import SqliteFile from 'better-sqlite3';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { valuesOf } from '../support/origin.ts';
import { startScene } from '../support/scene.ts';

const HOST = 'api.example.test';
const AUTH = { auth: { type: 'bearer' }, hosts: [HOST] };
const ROUNDS = 5;
const SECRETS = ['one', 'two', 'three'];

interface Progress {
  readonly complete: boolean;
  readonly failed: number;
}

test('I2 I3 I8 killed while values, master key and CA are replaced', async () => {
  await using scene = await startScene({ names: [HOST] });
  const { product, origin } = scene;
  const values = SECRETS.map((name) => mintCanary(name));
  /** Acknowledged, or sent and not answered: from which on one may be in force. */
  const sinceAcknowledged = new Map(SECRETS.map((name, i) => [name, [values[i] ?? '']]));
  for (const [i, name] of SECRETS.entries()) {
    await product.createSecret(name, values[i] ?? '', AUTH);
  }
  // Something for the new master key to do.
  for (let i = 0; i < 60; i += 1) {
    await product.createSecret(`filler_${i}`, mintCanary(), { ...AUTH, hosts: ['x.example.test'] });
  }
  const sandboxes = await Promise.all(
    SECRETS.map((name) => product.createSandbox({ secrets: { KEY: name } })),
  );

  for (let round = 0; round < ROUNDS; round += 1) {
    const killed = new AbortController();
    const repeat = async (act: () => Promise<unknown>): Promise<void> => {
      while (!killed.signal.aborted) await act().catch(() => undefined);
    };
    const { admin } = product;
    const replacing = SECRETS.map((name) =>
      repeat(async () => {
        const value = mintCanary(name);
        values.push(value);
        const possible = sinceAcknowledged.get(name) ?? [];
        possible.push(value);
        if ((await admin.patch(`/secrets/${name}`, { value })).status === 200) {
          sinceAcknowledged.set(name, [value]);
        }
      }),
    );
    const rewrapping = repeat(() => admin.post('/vault/rewrap', { new_key: true }));
    const rotating = repeat(async () => {
      for (const step of ['rotate', 'switch', 'finish']) await admin.post(`/ca/${step}`);
    });
    await delay(30 + (round * 400) / ROUNDS + Math.random() * 80);
    await product.kill();
    killed.abort();
    await Promise.all([...replacing, rewrapping, rotating]);

    await product.start();
    for (const [i, name] of SECRETS.entries()) {
      using tunnel = await product.openTunnel(sandboxes[i] ?? { token: '' }, `${HOST}:443`);
      expect((await tunnel.request({ path: '/' })).status).toBe(200);
      const [used = ''] = valuesOf(origin.last.rawHeaders, 'authorization');
      const possible = sinceAcknowledged.get(name) ?? [];
      expect(possible).toContain(used.replace('Bearer ', ''));
      sinceAcknowledged.set(name, [used.replace('Bearer ', '')]);
    }
  }

  const lines = (await product.admin.post('/vault/rewrap', {})).text.trim().split('\n');
  const last = JSON.parse(lines.at(-1) ?? '') as Progress;
  expect(last).toMatchObject({ complete: true, failed: 0 });
  await product.assertNoLeak(values);
  const file = new SqliteFile(join(product.dataDirectory, 'sallyport.db'), { readonly: true });
  expect(file.pragma('integrity_check', { simple: true })).toBe('ok');
  file.close();
}, 90_000);
