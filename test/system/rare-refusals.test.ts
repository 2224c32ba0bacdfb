/**
 * Rows of the closed table (spec section 11) that need something to be wrong with time, the trail, the
 * process or the origin. I4: each leaves its event.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { dialProxy, openTunnel, proxyAuthorization, sendConnect } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { cutMidBody, reply, slow } from '../support/origin-replies.ts';
import { startScene } from '../support/scene.ts';
import type { Scene, SceneOptions } from '../support/scene.ts';

const HOST = 'api.example.test';
let scene: Scene;

afterEach(async () => {
  await scene[Symbol.asyncDispose]();
});

async function setStage(options: Partial<SceneOptions> = {}): Promise<void> {
  scene = await startScene({
    names: [HOST],
    handlers: {
      '/': reply(200, 'ok'),
      '/slow': slow(1_500),
      '/cut': cutMidBody(1_000, 'only this'),
    },
    ...options,
  });
  const auth = { type: 'bearer' };
  await scene.product.createSecret('api', 'not-a-real-key-0123456789', { auth, hosts: [HOST] });
}

function planOf(token: string) {
  return {
    proxy: scene.product.proxy,
    authority: `${HOST}:443`,
    token,
    ca: scene.product.caPem,
  };
}

async function networkLog(sandboxId: string): Promise<string> {
  return (await scene.product.admin.get(`/sandboxes/${sandboxId}/network`)).text;
}

describe('time', () => {
  test('I4: sandbox_expired inside an open tunnel; a new CONNECT is asked to authenticate', async () => {
    await setStage();
    // The sweep may close the tunnel first, half a second after the end at the latest: then again.
    const answers: string[] = [];
    for (let attempt = 0; attempt < 5 && !answers.includes('sandbox_expired'); attempt += 1) {
      const { product } = scene;
      const sandbox = await product.createSandbox({
        secrets: { KEY: 'api' },
        more: { expires_at: new Date(Date.now() + 1_200).toISOString() },
      });
      const tunnel = await openTunnel(planOf(sandbox.token));
      try {
        for (;;) {
          const response = await tunnel.request({ method: 'GET', path: '/' });
          if (response.status === 200) continue;
          answers.push((response.json() as { error: { code: string } }).error.code);
          break;
        }
      } catch {
        answers.push('closed');
      }
      tunnel.destroy();
      using late = await sendConnect(planOf(sandbox.token));
      expect(late.response.status).toBe(407);
      await eventually(async () => {
        expect(await networkLog(sandbox.id)).toMatch(/sandbox_expired|closed_by_policy/);
      });
    }
    expect(answers).toContain('sandbox_expired');
  });
});

describe('the trail', () => {
  test('audit_unavailable: a full queue refuses before anything is dialled, if so chosen', async () => {
    await setStage({
      settings: { audit: { on_full: 'refuse' }, limits: { audit_queue_max: 1 } },
    });
    const { product, origin } = scene;
    const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
    const statuses: number[] = [];
    const codes = new Set<string>();
    const tunnel = await openTunnel(planOf(sandbox.token));
    for (let i = 0; i < 20; i += 1) {
      const response = await tunnel.request({ method: 'GET', path: '/' });
      statuses.push(response.status);
      if (response.status !== 200) {
        codes.add((response.json() as { error: { code: string } }).error.code);
      }
    }
    expect([...codes]).toEqual(['audit_unavailable']);
    const passed = statuses.filter((status) => status === 200).length;
    expect(origin.requests.length).toBe(passed);
    tunnel.destroy();
  });
});

describe('the process', () => {
  test('shutting_down: a CONNECT that arrives during the drain', async () => {
    await setStage();
    const { product } = scene;
    const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
    using early = await dialProxy(product.proxy);
    early.send(`CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}:443\r\n`);
    const tunnel = await openTunnel(planOf(sandbox.token));
    const held = tunnel.request({ method: 'GET', path: '/slow' });
    await scene.origin.waitForRequests(1);
    const stopped = product.stop();
    await new Promise((resolve) => setTimeout(resolve, 200));
    early.send(`Proxy-Authorization: ${proxyAuthorization(sandbox.token)}\r\n\r\n`);
    const refused = await early.readResponse();
    expect([refused.status, refused.reason]).toEqual([503, 'shutting_down']);
    expect((await held).status).toBe(200);
    await stopped;
  });
});

describe('the origin', () => {
  test('upstream_aborted: a body that breaks off destroys the connection, the row says why', async () => {
    await setStage();
    const { product } = scene;
    const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
    const tunnel = await openTunnel(planOf(sandbox.token));
    await expect(tunnel.request({ method: 'GET', path: '/cut' })).rejects.toThrow(
      /ended|closed|reset|ECONN/i,
    );
    await eventually(async () => {
      const rows = (await product.admin.get('/secrets/api/audit')).json as {
        status: number;
        error_code: string | null;
      }[];
      expect(rows[0]).toMatchObject({ status: 200, error_code: 'upstream_aborted' });
    });
  });
});
