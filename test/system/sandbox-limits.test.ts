/**
 * `limits` of a sandbox: requests a minute and at once, inside interceptions, plain and as tunnels. Beyond
 * them 429 `rate_limited` with `Retry-After` before anything is dialled, recorded like every refusal; what
 * an admin changes holds on the next request.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization, sendConnect } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { endless, reply } from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { outcomeOf } from '../support/refusal.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const TUNNELLED = 'files.example.test';
const value = mintCanary();
const held: (() => void)[] = [];
let scene: Scene;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST, TUNNELLED],
    handlers: {
      '/hold': (_request, response) => {
        held.push(() => response.end('done'));
      },
      '/endless': endless(),
      '*': reply(200, 'ok'),
    },
  });
  await scene.product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

function createLimited(limits: Readonly<Record<string, number>>): Promise<TestSandbox> {
  return scene.product.createSandbox({ secrets: { API_KEY: 'api' }, more: { limits } });
}

async function readCodes(sandbox: TestSandbox): Promise<unknown[]> {
  const path = `/sandboxes/${sandbox.id}/network?limit=1000`;
  const { data } = await scene.product.admin.must('GET', path);
  return data.map((row: { kind: string; error_code?: string; verdict?: string }) =>
    row.kind === 'request' ? row.error_code : row.verdict,
  );
}

test('requests beyond the minute get 429, and a higher limit holds on the next request', async () => {
  const { product, origin } = scene;
  const sandbox = await createLimited({ requests_per_minute: 3 });
  using tunnel = await product.openTunnel(sandbox, `${HOST}:443`);
  origin.clear();
  const outcomes: string[] = [];
  for (let count = 0; count < 4; count += 1) {
    outcomes.push(outcomeOf(await tunnel.request({ path: `/${count}` })));
  }
  expect(outcomes).toEqual(['200', '200', '200', '429 rate_limited']);
  const refused = await tunnel.request({ path: '/again' });
  expect(refused.status).toBe(429);
  const retryAfterS = Number(refused.field('retry-after'));
  expect(retryAfterS).toBeGreaterThan(0);
  expect(retryAfterS).toBeLessThanOrEqual(61);
  expect(refused.field('proxy-status')).toContain('error=http_request_denied');
  expect(origin.requests).toHaveLength(3);
  const path = `/sandboxes/${sandbox.id}`;
  const changed = await product.admin.must('PATCH', path, { limits: { requests_per_minute: 4 } });
  expect(changed.limits).toEqual({ requests_per_minute: 4, concurrent: null });
  expect(outcomeOf(await tunnel.request({ path: '/now' }))).toBe('200');
  expect(outcomeOf(await tunnel.request({ path: '/now' }))).toBe('429 rate_limited');
  expect((await product.admin.must('PATCH', path, { limits: null })).limits).toEqual({
    requests_per_minute: null,
    concurrent: null,
  });
  expect(outcomeOf(await tunnel.request({ path: '/now' }))).toBe('200');
  await eventually(async () => {
    const codes = await readCodes(sandbox);
    expect(codes.filter((code) => code === 'rate_limited')).toHaveLength(3);
  });
});

test('a burst of plain requests: exactly as many as the minute allows', async () => {
  const sandbox = await createLimited({ requests_per_minute: 7 });
  const authorization = ['Proxy-Authorization', proxyAuthorization(sandbox.token)];
  const fields = ['Host', `${TUNNELLED}:8443`, ...authorization];
  const outcomes = await Promise.all(
    Array.from({ length: 30 }, async () => {
      using connection = await dialProxy(scene.product.proxy);
      // The origin speaks TLS: what is let in fails there, what is refused never gets there.
      const answer = await connection.request({ path: `http://${TUNNELLED}:8443/`, fields });
      return answer.status === 429;
    }),
  );
  expect(outcomes.filter((isRefused) => isRefused)).toHaveLength(23);
});

test('I1: tunnels count, and one too many is refused on its CONNECT before it is dialled', async () => {
  const { product, origin } = scene;
  const sandbox = await createLimited({ requests_per_minute: 2 });
  const plan = { proxy: product.proxy, authority: `${TUNNELLED}:443`, token: sandbox.token };
  const dialled = origin.connectionCount;
  using first = await sendConnect(plan);
  using second = await sendConnect(plan);
  using third = await sendConnect(plan);
  expect([first, second, third].map(({ response }) => response.status)).toEqual([200, 200, 429]);
  expect(third.response.reason).toBe('rate_limited');
  await eventually(async () => {
    expect((await readCodes(sandbox)).filter((code) => code === 'blocked')).toHaveLength(1);
  });
  expect(origin.connectionCount - dialled).toBeLessThanOrEqual(2);
});

test('as many at once as allowed: the rest is refused at once, and room comes back', async () => {
  const { product } = scene;
  const sandbox = await createLimited({ concurrent: 4 });
  const tunnels = await Promise.all(
    Array.from({ length: 12 }, () => product.openTunnel(sandbox, `${HOST}:443`)),
  );
  const answers = tunnels.map(async (tunnel) => outcomeOf(await tunnel.request({ path: '/hold' })));
  await eventually(() => {
    expect(held).toHaveLength(4);
  });
  await eventually(async () => {
    const codes = await readCodes(sandbox);
    expect(codes.filter((code) => code === 'rate_limited')).toHaveLength(8);
  });
  for (const release of held.splice(0)) release();
  const outcomes = await Promise.all(answers);
  expect(outcomes.filter((outcome) => outcome === '200')).toHaveLength(4);
  expect(outcomes.filter((outcome) => outcome === '429 rate_limited')).toHaveLength(8);
  // An open tunnel takes one of the four places for as long as it is open.
  const plan = { proxy: product.proxy, authority: `${TUNNELLED}:443`, token: sandbox.token };
  const open = await Promise.all(Array.from({ length: 4 }, () => sendConnect(plan)));
  expect(open.map(({ response }) => response.status)).toEqual([200, 200, 200, 200]);
  const ask = async (): Promise<string> => {
    const [tunnel] = tunnels;
    if (tunnel === undefined) throw new Error('there is a tunnel');
    return outcomeOf(await tunnel.request({ path: '/' }));
  };
  expect(await ask()).toBe('429 rate_limited');
  open.pop()?.[Symbol.dispose]();
  await eventually(async () => {
    expect(await ask()).toBe('200');
  });
  for (const other of open) other[Symbol.dispose]();
  for (const other of tunnels) other.destroy();
});

test.each([
  { requests_per_minute: 0 },
  { requests_per_minute: 1.5 },
  { concurrent: -1 },
  { per_second: 1 },
])('limits that make no sense are refused: %j', async (limits) => {
  const answer = await scene.product.admin.post('/sandboxes', { name: 'odd', limits });
  expect(answer.status).toBe(400);
});
