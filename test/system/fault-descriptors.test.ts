/**
 * File descriptors run out (`RLIMIT_NOFILE` of the running process is lowered): what needs one is refused or
 * waits, what has one goes on, nothing crashes, and with descriptors again everything is as before.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { lacks } from '../support/missing-tools.ts';
import { endless } from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { outcomeOf } from '../support/refusal.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const OTHER = 'other.example.test';
const value = mintCanary();
let scene: Scene;
let sandbox: TestSandbox;

beforeAll(async () => {
  scene = await startScene({ names: [HOST, OTHER], handlers: { '/endless': endless() } });
  const auth = { type: 'bearer' };
  await scene.product.createSecret('api', value, { auth, hosts: [HOST, OTHER] });
  sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await scene.product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
});

const countOpen = (): number => readdirSync(`/proc/${scene.product.pid}/fd`).length;

function prlimit(...args: readonly string[]): string {
  const ran = spawnSync('prlimit', ['--pid', String(scene.product.pid), ...args], {
    encoding: 'utf8',
  });
  if (ran.status !== 0) throw new Error(`prlimit: ${ran.stderr}`);
  return ran.stdout.trim();
}

test.skipIf(lacks('prlimit'))(
  'I4 none is left: open tunnels go on, an origin that must be dialled is unreachable, then all is well',
  async () => {
    const { product, origin } = scene;
    using warm = await product.openTunnel(sandbox, `${HOST}:443`);
    expect((await warm.request({ path: '/warm' })).status).toBe(200);
    using cold = await product.openTunnel(sandbox, `${OTHER}:443`);
    const before = countOpen();
    const most = prlimit('--nofile', '--output=HARD', '--noheadings');
    // The soft limit alone, so that it can be raised again.
    prlimit(`--nofile=${before}:`);
    const { host, port } = product.proxy;
    // Accepted by the kernel, and by nobody else.
    const waiting = Array.from({ length: 50 }, () => net.connect(port, host).on('error', () => {}));
    try {
      await delay(200);
      expect((await warm.request({ path: '/still-warm' })).status).toBe(200);
      origin.clear();
      expect(outcomeOf(await cold.request({ path: '/cold' }))).toBe('502 upstream_unreachable');
      expect(origin.requests).toEqual([]);
    } finally {
      prlimit(`--nofile=${most}:`);
    }
    expect((await cold.request({ path: '/cold-again' })).status).toBe(200);
    for (const socket of waiting) socket.destroy();
    using fresh = await product.openTunnel(sandbox, `${HOST}:443`);
    expect((await fresh.request({ path: '/fresh' })).status).toBe(200);
    const { data } = (await eventually(async () => {
      const rows = await product.admin.must('GET', `/sandboxes/${sandbox.id}/network`);
      expect(rows.data).toHaveLength(5);
      return rows;
    })) as { readonly data: readonly { readonly path: string; readonly error_code?: string }[] };
    const refused = data.filter(({ error_code: code }) => code !== undefined && code !== null);
    expect(refused).toMatchObject([{ path: '/cold', error_code: 'upstream_unreachable' }]);
    await eventually(() => expect(countOpen()).toBeLessThanOrEqual(before + 5), 5_000);
  },
);
