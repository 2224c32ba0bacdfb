/**
 * `egress.mode: observe`: what network rules and the default would refuse passes and is written down, so
 * that default-deny can be turned on from evidence. Internal addresses and credentials are judged all the
 * same.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runSallyport } from '../cli/command-line.ts';
import { mintCanary } from '../support/canary.ts';
import { sendConnect, startTls } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { valuesOf } from '../support/origin.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const BOUND = 'api.example.test';
const NAMED = 'named.example.test';
const OTHER = 'other.example.test';
const INSIDE = 'inside.example.test';
let scene: Scene;

beforeAll(async () => {
  scene = await startScene({
    names: [BOUND, NAMED, OTHER],
    hosts: { [INSIDE]: '10.1.2.3' },
    settings: { egress: { default: 'deny', mode: 'observe', tunnel_sni: 'check' } },
  });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

interface Row {
  readonly host: string;
  readonly kind: string;
  readonly decision: string;
  readonly code: string | null;
  readonly match_rule?: string | null;
  readonly would_refuse?: string;
}

async function rowsOf(sandboxId: string, count: number, more = ''): Promise<readonly Row[]> {
  return eventually(async () => {
    const path = `/audit?sandbox=${sandboxId}${more}`;
    const { data } = (await scene.product.admin.must('GET', path)) as { data: Row[] };
    expect(data).toHaveLength(count);
    return data;
  });
}

test('the log says at start that nothing is enforced', () => {
  expect(scene.product.output.stderr).toContain('egress.mode is observe');
});

test('a tunnel that default-deny would refuse passes, and the trail says what would refuse it', async () => {
  const { product, authority } = scene;
  const sandbox = await product.createSandbox();
  const tunnel = await product.openTunnel(sandbox, `${OTHER}:443`, authority.caPem);
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
  tunnel.destroy();
  const [row] = await rowsOf(sandbox.id, 1, '&observed=true');
  expect(row).toMatchObject({
    kind: 'connection',
    host: OTHER,
    decision: 'tunnel',
    code: null,
    match_rule: 'default: deny',
    would_refuse: 'host_not_allowed',
  });
  const network = await product.admin.must('GET', `/sandboxes/${sandbox.id}/network?observed=true`);
  expect(network).toMatchObject({
    data: [{ host: OTHER, verdict: 'allowed', would_refuse: 'host_not_allowed' }],
  });
  const metrics = (await product.admin.get('/metrics')).text;
  expect(metrics).toMatch(/sallyport_observed_total\{code="host_not_allowed"\} [1-9]/);
});

test('an intercepted request to a denied host carries its secret and is marked; an allowed one is not', async () => {
  const { product, origin } = scene;
  const value = mintCanary();
  await product.createSecret('observed', value, {
    auth: { type: 'bearer' },
    hosts: [BOUND, NAMED],
  });
  const sandbox = await product.createSandbox({
    secrets: { API_KEY: 'observed' },
    network: { allow_out: [], deny_out: [NAMED] },
  });
  for (const host of [NAMED, BOUND]) {
    using tunnel = await product.openTunnel(sandbox, `${host}:443`);
    expect((await tunnel.request({ path: '/v1' })).status).toBe(200);
    expect(valuesOf(origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
  }
  const rows = await rowsOf(sandbox.id, 2);
  expect(Object.fromEntries(rows.map((row) => [row.host, row.would_refuse]))).toEqual({
    [NAMED]: 'host_denied',
    [BOUND]: undefined,
  });
  await product.assertNoLeak(value);
});

test('internal addresses and misused credentials are refused all the same', async () => {
  const { product, origin } = scene;
  await product.createSecret('placed', mintCanary(), { auth: { type: 'bearer' }, hosts: [BOUND] });
  const sandbox = await product.createSandbox({
    secrets: { KEY: 'placed' },
    more: { intercept: 'all' },
  });
  using inside = await sendConnect({
    proxy: product.proxy,
    authority: `${INSIDE}:443`,
    token: sandbox.token,
  });
  expect(inside.response.reason).toBe('internal_address_denied');
  origin.clear();
  using tunnel = await product.openTunnel(sandbox, `${OTHER}:443`);
  const fields = ['Authorization', `Bearer ${sandbox.placeholders['KEY'] ?? ''}`];
  expect((await tunnel.request({ path: '/', fields })).status).toBe(403);
  expect(origin.requests).toEqual([]);
  const rows = await rowsOf(sandbox.id, 2);
  expect(rows.map((row) => row.code)).toEqual([
    'credential_host_mismatch',
    'internal_address_denied',
  ]);
});

test('a server name that rules would refuse passes too, and is marked', async () => {
  const { product, authority } = scene;
  const sandbox = await product.createSandbox({ network: { allow_out: [NAMED] } });
  const plan = { proxy: product.proxy, authority: `${NAMED}:443`, token: sandbox.token };
  const { connection } = await sendConnect(plan);
  const trust = { ca: authority.caPem, serverName: OTHER };
  const tunnel = await startTls(connection, plan.authority, trust);
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
  tunnel.destroy();
  expect(await rowsOf(sandbox.id, 1, '&observed=true')).toMatchObject([
    { decision: 'tunnel', code: null, would_refuse: 'sni_mismatch' },
  ]);
});

test('explain says that it is let pass and what would refuse it', async () => {
  const { product } = scene;
  const sandbox = await product.createSandbox();
  for (const resolve of [false, true]) {
    const question = { sandbox: sandbox.id, method: 'GET', url: `https://${OTHER}/`, resolve };
    expect(await product.admin.must('POST', '/explain', question)).toMatchObject({
      decision: 'tunnel',
      network: {
        verdict: resolve ? 'allowed' : 'unresolved',
        match_rule: 'default: deny',
        would_refuse: 'host_not_allowed',
      },
    });
  }
});

test('rules narrowed on an open tunnel close nothing', async () => {
  const { product, authority } = scene;
  const sandbox = await product.createSandbox();
  using tunnel = await product.openTunnel(sandbox, `${OTHER}:443`, authority.caPem);
  expect((await tunnel.request({ path: '/1' })).status).toBe(200);
  const network = { allow_out: [], deny_out: [OTHER] };
  await product.admin.must('PATCH', `/sandboxes/${sandbox.id}`, { network });
  expect((await tunnel.request({ path: '/2' })).status).toBe(200);
});

test('`audit observed` sums up what would be refused, by target and reason', async () => {
  const { product, authority } = scene;
  const sandbox = await product.createSandbox({ name: 'summed' });
  for (let count = 0; count < 3; count += 1) {
    const tunnel = await product.openTunnel(sandbox, `${OTHER}:443`, authority.caPem);
    await tunnel.request({ path: '/' });
    tunnel.destroy();
  }
  await rowsOf(sandbox.id, 3, '&observed=true');
  const env = { SALLYPORT_URL: product.admin.origin, SALLYPORT_API_KEY: product.admin.key };
  const args = ['audit', 'observed', '--sandbox', 'summed'];
  const { stdout } = await runSallyport([...args, '--json'], { env });
  expect(JSON.parse(stdout)).toEqual([
    expect.objectContaining({
      host: OTHER,
      port: 443,
      would_refuse: 'host_not_allowed',
      match_rule: 'default: deny',
      count: 3,
      sandboxes: ['summed'],
    }),
  ]);
  const table = await runSallyport(args, { env });
  expect(table.stdout).toMatch(
    /other\.example\.test:443 +host_not_allowed +default: deny +3 +summed/,
  );
  const network = await runSallyport(['audit', '--sandbox', 'summed'], { env });
  expect(network.stdout).toContain('observed: host_not_allowed');
});
