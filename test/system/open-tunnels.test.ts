/**
 * What an admin changes holds on the next request of a kept-alive tunnel that is already open: rotation,
 * detach, narrowed hosts, restrictions, deletion; pause and revocation end the tunnel itself.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { sendConnect } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import { valuesOf } from '../support/origin.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const OTHER = 'other.example.test';
let scene: Scene;
let count = 0;

beforeAll(async () => {
  scene = await startScene({ names: [HOST, OTHER] });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

interface Opened {
  readonly secret: string;
  readonly value: string;
  readonly sandbox: TestSandbox;
  readonly placeholder: string;
  readonly tunnel: HttpConnection;
}

/** A fresh secret and sandbox, a tunnel through which one request already went with the value. */
async function openWithSecret(): Promise<Opened> {
  const { product, origin } = scene;
  count += 1;
  const secret = `secret_${count}`;
  const value = mintCanary();
  await product.createSecret(secret, value, { auth: { type: 'bearer' }, hosts: [HOST, OTHER] });
  const sandbox = await product.createSandbox({ secrets: { API_KEY: secret } });
  const tunnel = await product.openTunnel(sandbox, `${HOST}:443`);
  expect((await tunnel.request({ path: '/first' })).status).toBe(200);
  expect(valuesOf(origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
  origin.clear();
  return { secret, value, sandbox, placeholder: sandbox.placeholders['API_KEY'] ?? '', tunnel };
}

function refusalCode(text: string): unknown {
  return (JSON.parse(text) as { error: { code: string } }).error.code;
}

/** The next request does not reach the origin: it is refused with this code, or the tunnel is gone. */
async function expectEnded(opened: Opened, code: string): Promise<void> {
  const outcome = await opened.tunnel.request({ path: '/after' }).then(
    (answer) => `${answer.status} ${String(refusalCode(answer.text()))}`,
    () => 'closed',
  );
  expect(['closed', `403 ${code}`]).toContain(outcome);
  await opened.tunnel.reader.waitForEnd(2_000);
  expect(scene.origin.requests).toEqual([]);
}

describe('the next request on an open tunnel', () => {
  test('rotation: carries the new value', async () => {
    const { secret, tunnel, value } = await openWithSecret();
    using _tunnel = tunnel;
    const rotated = mintCanary();
    await scene.product.admin.must('PATCH', `/secrets/${secret}`, { value: rotated });
    expect((await tunnel.request({ path: '/after' })).status).toBe(200);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${rotated}`]);
    await scene.product.assertNoLeak([value, rotated]);
  });

  test('detach: the placeholder is refused, an ordinary request passes bare', async () => {
    const { sandbox, tunnel, placeholder } = await openWithSecret();
    using _tunnel = tunnel;
    await scene.product.admin.must('DELETE', `/sandboxes/${sandbox.id}/secrets/API_KEY`);
    const fields = ['Authorization', `Bearer ${placeholder}`];
    const refused = await tunnel.request({ path: '/after', fields });
    expect(refused.status).toBe(503);
    expect(refusalCode(refused.text())).toBe('credential_revoked');
    expect(scene.origin.requests).toEqual([]);
    const bare = await tunnel.request({ path: '/after' });
    expect(bare.status).toBe(200);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([]);
  });

  test('deletion of the secret: refused, with and without the placeholder', async () => {
    const { secret, tunnel, placeholder } = await openWithSecret();
    using _tunnel = tunnel;
    await scene.product.admin.must('DELETE', `/secrets/${secret}`);
    for (const fields of [[], ['Authorization', `Bearer ${placeholder}`]]) {
      const refused = await tunnel.request({ path: '/after', fields });
      expect(refused.status).toBe(503);
      expect(refusalCode(refused.text())).toBe('credential_revoked');
    }
    expect(scene.origin.requests).toEqual([]);
  });

  test('narrowed hosts: the placeholder no longer fits this host', async () => {
    const { secret, tunnel, placeholder } = await openWithSecret();
    using _tunnel = tunnel;
    await scene.product.admin.must('PATCH', `/secrets/${secret}`, { hosts: [OTHER] });
    const fields = ['Authorization', `Bearer ${placeholder}`];
    const refused = await tunnel.request({ path: '/after', fields });
    expect(refused.status).toBe(403);
    expect(refusalCode(refused.text())).toBe('credential_host_mismatch');
    const bare = await tunnel.request({ path: '/after' });
    expect(bare.status).toBe(200);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([]);
  });

  test('restricted methods and paths', async () => {
    const { secret, tunnel } = await openWithSecret();
    using _tunnel = tunnel;
    const limits = { methods: ['GET'], paths: ['/v1/**'] };
    await scene.product.admin.must('PATCH', `/secrets/${secret}`, limits);
    expect((await tunnel.request({ path: '/v1/ok' })).status).toBe(200);
    expect((await tunnel.request({ method: 'HEAD', path: '/v1/ok' })).status).toBe(200);
    scene.origin.clear();
    for (const plan of [
      { method: 'POST', path: '/v1/ok', body: 'x' },
      { path: '/v2/no' },
      { path: '/v1/../v2/no' },
      { path: '/v1/%2e%2e/v2' },
      { path: '/v1/..%2fv2' },
    ]) {
      const refused = await tunnel.request(plan);
      expect(refused.status).toBe(403);
      expect(refusalCode(refused.text())).toBe('credential_not_permitted');
    }
    expect(scene.origin.requests).toEqual([]);
  });

  test('pause ends the tunnel, a new CONNECT is refused, resume restores', async () => {
    const opened = await openWithSecret();
    const { sandbox } = opened;
    await scene.product.admin.must('POST', `/sandboxes/${sandbox.id}/pause`);
    await expectEnded(opened, 'sandbox_paused');
    const plan = { proxy: scene.product.proxy, authority: `${HOST}:443`, token: sandbox.token };
    using refused = await sendConnect(plan);
    expect(refused.response).toMatchObject({ status: 403, reason: 'sandbox_paused' });
    await scene.product.admin.must('POST', `/sandboxes/${sandbox.id}/resume`);
    using again = await scene.product.openTunnel(sandbox, `${HOST}:443`);
    expect((await again.request({ path: '/' })).status).toBe(200);
  });

  test('a replaced token ends the tunnel, the old one opens nothing, the new one does', async () => {
    const opened = await openWithSecret();
    const { sandbox } = opened;
    const replaced = (await scene.product.admin.must('POST', `/sandboxes/${sandbox.id}/token`)) as {
      proxy_token: string;
    };
    await expectEnded(opened, 'sandbox_revoked');
    const plan = { proxy: scene.product.proxy, authority: `${HOST}:443` };
    using refused = await sendConnect({ ...plan, token: sandbox.token });
    expect(refused.response).toMatchObject({ status: 407, reason: 'proxy_auth_required' });
    using again = await scene.product.openTunnel({ token: replaced.proxy_token }, `${HOST}:443`);
    expect((await again.request({ path: '/' })).status).toBe(200);
  });

  test('a deleted sandbox: the tunnel ends and its token opens nothing', async () => {
    const opened = await openWithSecret();
    await scene.product.admin.must('DELETE', `/sandboxes/${opened.sandbox.id}`);
    await expectEnded(opened, 'sandbox_revoked');
    const plan = { proxy: scene.product.proxy, authority: `${HOST}:443` };
    using refused = await sendConnect({ ...plan, token: opened.sandbox.token });
    expect(refused.response.status).toBe(407);
  });

  test('disconnect closes what is open and nothing else', async () => {
    const { sandbox, tunnel } = await openWithSecret();
    await scene.product.admin.must('POST', `/sandboxes/${sandbox.id}/disconnect`);
    await expect(tunnel.reader.waitForEnd(2_000)).resolves.toBeUndefined();
    using again = await scene.product.openTunnel(sandbox, `${HOST}:443`);
    expect((await again.request({ path: '/' })).status).toBe(200);
  });
});
