/**
 * A start with a CA whose time is over: nothing is intercepted, each attempt told and recorded, tunnels and the
 * admin API go on, and one command later the new one serves.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { composeCore } from '../../cli/compose-core.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { loadSettings } from '../../src/settings/load-settings.ts';
import { runSallyport, type Outcome } from '../cli/command-line.ts';
import { mintCanary } from '../support/canary.ts';
import { openTunnel, sendConnect } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { startScene, type Scene } from '../support/scene.ts';
import type { TestSandbox } from '../support/product.ts';

const HOST = 'api.example.test';
const TUNNELLED = 'files.example.test';
const ELEVEN_YEARS_MS = 11 * 365 * 24 * 3_600_000;
const directory = mkdtempSync(join(tmpdir(), 'sallyport-ca-over-'));
const value = mintCanary();
let scene: Scene;
let sandbox: TestSandbox;

/** A data directory of eleven years ago. */
async function makeOldAuthority(): Promise<void> {
  const flags = { data_dir: join(directory, 'data'), 'log.level': 'silent' };
  const { settings } = loadSettings({ file: null, env: {}, cwd: directory, flags });
  const thenMs = Date.now() - ELEVEN_YEARS_MS;
  const clock = vi.spyOn(systemClock, 'nowMs').mockReturnValue(thenMs);
  const core = await composeCore(settings, null);
  await core.close();
  clock.mockRestore();
}

beforeAll(async () => {
  await makeOldAuthority();
  scene = await startScene({
    names: [HOST, TUNNELLED],
    settings: { data_dir: join(directory, 'data') },
  });
  const auth = { type: 'bearer' };
  await scene.product.createSecret('api', value, { auth, hosts: [HOST] });
  sandbox = await scene.product.createSandbox({ secrets: { API_KEY: 'api' } });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

function sallyport(...args: readonly string[]): Promise<Outcome> {
  const { admin } = scene.product;
  return runSallyport(args, {
    env: { SALLYPORT_URL: admin.origin, SALLYPORT_API_KEY: admin.key },
  });
}

test('I8: it starts and says so; a bound host is refused on its CONNECT, and recorded', async () => {
  const { product } = scene;
  expect(product.output.stderr + product.output.stdout).toContain('the CA is over');
  const { token } = sandbox;
  using answer = await sendConnect({ proxy: product.proxy, authority: `${HOST}:443`, token });
  expect(answer.response.status).toBe(503);
  expect(answer.response.reason).toBe('credential_unavailable');
  expect(answer.response.body.toString()).toContain('sallyport ca rotate');
  await eventually(async () => {
    const { data } = await product.admin.must('GET', `/sandboxes/${sandbox.id}/network?limit=1`);
    expect(data[0]).toMatchObject({ host: HOST, error_code: 'credential_unavailable' });
  });
  const question = { sandbox: sandbox.id, method: 'GET', url: `https://${HOST}/` };
  const explained = await product.admin.must('POST', '/explain', question);
  expect(explained).toMatchObject({ decision: 'deny', code: 'credential_unavailable' });
  const metrics = (await product.admin.get('/metrics')).text;
  const end = Number(/^sallyport_ca_end_timestamp_seconds (\S+)$/m.exec(metrics)?.[1]);
  expect(end).toBeLessThan(Date.now() / 1_000);
});

test('a tunnel goes on', async () => {
  using tunnel = await scene.product.openTunnel(sandbox, `${TUNNELLED}:443`, scene.authority.caPem);
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
});

test('one rotation later the new one serves, without a restart', async () => {
  const { product } = scene;
  const rotated = await sallyport('ca', 'rotate');
  expect(rotated.stderr).toBe('');
  expect(rotated.stdout).toContain('The new CA signs.');
  const exported = await sallyport('ca', 'export');
  const plan = { proxy: product.proxy, authority: `${HOST}:443`, token: sandbox.token };
  using tunnel = await openTunnel({ ...plan, ca: exported.stdout });
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
  expect(scene.origin.last.rawHeaders).toContain(`Bearer ${value}`);
  expect((await sallyport('ca', 'rotate', '--finish')).code).toBe(0);
});
