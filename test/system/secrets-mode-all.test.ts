/**
 * A sandbox with `secrets_mode: all` uses every secret its workspace may use, as of each request: without
 * variables or placeholders, in tunnels opened before, and not one that was taken away.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import type { HttpConnection } from '../support/client.ts';
import { valuesOf } from '../support/origin.ts';
import type { TestSandbox } from '../support/product.ts';
import { outcomeOf } from '../support/refusal.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const ONE = 'one.example.test';
const TWO = 'two.example.test';
const OPEN = 'open.example.test';
const values = { one: mintCanary(), two: mintCanary(), other: mintCanary() };
let scene: Scene;
let sandbox: TestSandbox;

beforeAll(async () => {
  scene = await startScene({ names: [ONE, TWO, OPEN] });
  await scene.product.createSecret('one', values.one, { auth: { type: 'bearer' }, hosts: [ONE] });
  sandbox = await scene.product.createSandbox({ more: { secrets_mode: 'all' } });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

/** What the origin got, or how it was refused. */
async function ask(tunnel: HttpConnection): Promise<string> {
  scene.origin.clear();
  const answer = await tunnel.request({ path: '/' });
  if (answer.status !== 200) return outcomeOf(answer);
  return valuesOf(scene.origin.last.rawHeaders, 'authorization').join() || 'nothing';
}

test('every secret is injected by its host, as of each request, and nothing elsewhere', async () => {
  const { product } = scene;
  const { admin } = product;
  expect(Object.values(sandbox.env).join(' ')).not.toContain('sallyport_');
  using one = await product.openTunnel(sandbox, `${ONE}:443`);
  expect(await ask(one)).toBe(`Bearer ${values.one}`);
  using open = await product.openTunnel(sandbox, `${OPEN}:443`, scene.authority.caPem);
  expect(await ask(open)).toBe('nothing');

  await product.createSecret('two', values.two, { auth: { type: 'bearer' }, hosts: [TWO] });
  using two = await product.openTunnel(sandbox, `${TWO}:443`);
  expect(await ask(two)).toBe(`Bearer ${values.two}`);

  const rotated = mintCanary();
  await admin.must('PATCH', '/secrets/two', { value: rotated });
  expect(await ask(two)).toBe(`Bearer ${rotated}`);
  await admin.must('PATCH', '/secrets/two', { disabled: true });
  expect(await ask(two)).toBe('503 credential_disabled');
  await admin.must('PATCH', '/secrets/two', { disabled: false });
  expect(await ask(two)).toBe(`Bearer ${rotated}`);
  await admin.must('PATCH', '/secrets/two', { allowed_workspaces_type: 'NONE' });
  expect(await ask(two)).toBe('nothing');
  await admin.must('PATCH', '/secrets/two', { allowed_workspaces_type: 'ALL' });
  expect(await ask(two)).toBe(`Bearer ${rotated}`);
  await admin.must('DELETE', '/secrets/two');
  expect(await ask(two)).toBe('nothing');
  await product.assertNoLeak([values.one, values.two, rotated]);
});

test('a secret that ties is warned about, refused only in such sandboxes, and explained', async () => {
  const { product } = scene;
  const bound = await product.createSandbox({ secrets: { KEY: 'one' } });
  const created = await product.createSecret('rival', values.other, {
    auth: { type: 'bearer' },
    hosts: [ONE],
  });
  expect(created['warnings']).toEqual([expect.stringContaining(`same place on ${ONE}`)]);
  using all = await product.openTunnel(sandbox, `${ONE}:443`);
  expect(await ask(all)).toBe('403 ambiguous_secret');
  using one = await product.openTunnel(bound, `${ONE}:443`);
  expect(await ask(one)).toBe(`Bearer ${values.one}`);
  const explained = await product.admin.must('POST', '/explain', {
    sandbox: sandbox.id,
    method: 'GET',
    url: `https://${ONE}/`,
  });
  expect(explained).toMatchObject({ code: 'ambiguous_secret', intercept: true });
  expect(explained.considered).toHaveLength(2);
  const another = await product.admin.must('POST', '/sandboxes', {
    name: 'another',
    secrets_mode: 'all',
  });
  expect(another.warnings).toHaveLength(1);
  await product.admin.must('PATCH', '/secrets/rival', { priority: 5 });
  expect(await ask(all)).toBe(`Bearer ${values.other}`);
  await product.admin.must('DELETE', '/secrets/rival');
  expect(await ask(all)).toBe(`Bearer ${values.one}`);
  const harmless = await product.createSecret('harmless', values.other, {
    auth: { type: 'api-key', header: 'x-other' },
    hosts: [ONE],
  });
  expect(harmless['warnings']).toEqual([]);
});
