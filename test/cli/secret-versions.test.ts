/** `sallyport secret versions|rollback|rollout|test` and `rotate --overlap`, against the real product. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { valuesOf } from '../support/origin.ts';
import { startScene, type Scene } from '../support/scene.ts';
import { runSallyport, type Outcome } from './command-line.ts';

const HOST = 'api.example.test';
const values = [mintCanary(), mintCanary()] as const;
let scene: Scene;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST],
    handlers: {
      '*': async (request, response, readBody) => {
        await readBody();
        const [sent] = valuesOf(request.rawHeaders, 'authorization');
        response.writeHead(sent === `Bearer ${values[0]}` ? 200 : 401);
        response.end();
      },
    },
  });
  await scene.product.createSecret('api', values[0], { auth: { type: 'bearer' }, hosts: [HOST] });
});

afterAll(() => scene[Symbol.asyncDispose]());

function sallyport(line: string, input = ''): Promise<Outcome> {
  const { admin } = scene.product;
  const env = { SALLYPORT_URL: admin.origin, SALLYPORT_API_KEY: admin.key };
  return runSallyport(line.split(' '), { env, input });
}

describe('a rotation that went wrong', () => {
  test('before it the origin takes the secret', async () => {
    const done = await sallyport('secret test api');
    expect([done.code, done.stderr]).toEqual([0, '']);
    expect(done.stdout).toMatch(/^accepted +yes$/m);
    expect(done.stdout).toMatch(/^status +200$/m);
  });

  test('is made with an overlap, which `show` tells', async () => {
    const done = await sallyport('secret rotate api --overlap 10m', values[1]);
    expect(done.stdout).toContain('rotated secret api (version 2)');
    const shown = await sallyport('secret show api');
    expect(shown.stdout).toMatch(/^overlap until +\d{4}-/m);
    const wrong = await sallyport('secret rotate api --overlap soon', values[1]);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('10m')]);
  });

  test('`test` says that the origin refuses it, with a failing exit code', async () => {
    const done = await sallyport(`secret test api --at https://${HOST}/v1 --method HEAD --json`);
    expect(done.code).toBe(1);
    expect(JSON.parse(done.stdout)).toMatchObject({
      url: `https://${HOST}/v1`,
      method: 'HEAD',
      status: 401,
      auth_ok: false,
      classification: 'unknown',
      version: 2,
    });
  });

  test('`rollout` says why the old value must stay', async () => {
    const sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
    using tunnel = await scene.product.openTunnel(sandbox, `${HOST}:443`);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
    const done = await sallyport('secret rollout api');
    expect(done.stdout).toMatch(/^2 +active +1 +\S+ +0 +1 \(unknown\)$/m);
    expect(done.stdout).toMatch(/^1 +- +1 +\S+ +0 +-$/m);
    expect(done.stdout).toMatch(/^safe to revoke +no$/m);
    const shown = await sallyport('secret show api');
    expect(shown.stdout).toMatch(/^refused +1 in a row; last at \S+: unknown$/m);
  });

  test('is taken back', async () => {
    const done = await sallyport('secret rollback api 1');
    expect([done.code, done.stdout]).toEqual([0, 'secret api uses version 1 again\n']);
    const versions = await sallyport('secret versions api');
    expect(versions.stdout).toMatch(/^2 +kept .* 1 \(unknown\)$/m);
    expect(versions.stdout).toMatch(/^1 +active /m);
    expect((await sallyport('secret test api')).code).toBe(0);
  });

  test('what cannot be is said in words', async () => {
    const unknown = await sallyport('secret rollback api 7');
    expect(unknown.code).toBe(8);
    expect(unknown.stderr).toContain('there is no version 7');
    expect((await sallyport('secret rollback api two')).code).toBe(2);
    expect((await sallyport('secret rollout nothing')).code).toBe(6);
    const other = await sallyport('secret test api --at https://other.example.test/');
    expect([other.code, other.stdout]).toEqual([
      1,
      expect.stringMatching(/^why +credential_host_mismatch$/m),
    ]);
  });
});

test('no value came out of any of it (I3)', async () => {
  await expect(scene.product.assertNoLeak([...values])).resolves.toBeUndefined();
});
