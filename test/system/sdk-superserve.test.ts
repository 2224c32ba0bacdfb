/**
 * The unmodified `@superserve/sdk` administers what an unmodified `openai` uses: one story, from the secret
 * to the audit. Every method of it, on its own, is in `test/admin-api/superserve-sdk.test.ts`.
 */
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openHome, runClient } from '../sdk/client-program.ts';
import type { ClientHome } from '../sdk/client-program.ts';
import { mintCanary } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { valuesOf } from '../support/origin.ts';
import { reply } from '../support/origin-replies.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { runTool } from '../support/tool.ts';

const HOST = 'api.openai.com';
const CHAT = '/v1/chat/completions';
const PROGRAM = path.join(import.meta.dirname, '../sdk/programs/superserve.mjs');
const [first, second] = [mintCanary('sk-proj-'), mintCanary('sk-proj-')];
const completion = { choices: [{ index: 0, message: { role: 'assistant', content: 'hi' } }] };

let scene: Scene;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST],
    handlers: {
      [CHAT]: reply(200, JSON.stringify(completion), ['Content-Type', 'application/json']),
    },
  });
});
afterAll(() => scene[Symbol.asyncDispose]());

// oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of any shape
async function administer(call: string, ...args: readonly string[]): Promise<any> {
  const { admin, clientBytes } = scene.product;
  const env = { SUPERSERVE_API_KEY: admin.key, SUPERSERVE_BASE_URL: admin.origin };
  const result = await runTool(process.execPath, [PROGRAM, call, ...args], { env });
  clientBytes.push(Buffer.from(result.stdout), Buffer.from(result.stderr));
  expect(result).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(result.stdout) as unknown;
}

/** The SDK shows neither token nor variables: they are asked for as our own documentation says. */
async function enter(id: string): Promise<ClientHome> {
  const { product } = scene;
  const { proxy_token } = (await product.admin.must('POST', `/sandboxes/${id}/token`)) as {
    proxy_token: string;
  };
  const given = (await product.admin.must('GET', `/sandboxes/${id}/env?format=json`)) as Record<
    string,
    string
  >;
  const env = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      value.replace(':TOKEN@', `:${proxy_token}@`),
    ]),
  );
  const files = Object.fromEntries(
    [env['NODE_EXTRA_CA_CERTS'], env['SSL_CERT_FILE']].map((file = '') => [file, product.caPem]),
  );
  const placeholders = { OPENAI_API_KEY: env['OPENAI_API_KEY'] ?? '' };
  const proxyUrl = env['HTTPS_PROXY'] ?? '';
  return openHome(product, { id, token: proxy_token, env, files, placeholders, proxyUrl });
}

function keyOfLastRequest(): string[] {
  return valuesOf(scene.origin.last.rawHeaders, 'authorization');
}

test('from the secret to the audit, rotation and detachment', async () => {
  const { id, used } = await administer('begin', first);
  expect(used).toBeNull();
  const home = await enter(id);
  expect(await runClient(home, 'openai', 'ordinary')).toMatchObject({ text: 'hi' });
  expect(keyOfLastRequest()).toEqual([`Bearer ${first}`]);

  await eventually(async () => {
    const report = await administer('report', id);
    const call = { method: 'POST', path: CHAT, status: 200, upstreamStatus: 200 };
    expect(report).toMatchObject({
      used: true,
      sandboxes: [{ sandboxId: id, sandboxName: 'agent', envKey: 'OPENAI_API_KEY' }],
      audit: [{ ...call, host: HOST, sandboxId: id, sandboxName: 'agent' }],
      network: [{ kind: 'request', host: HOST, ...call }],
    });
  });

  expect(await administer('rotate', second)).toEqual({ id: true });
  expect(await runClient(home, 'openai', 'ordinary')).toMatchObject({ text: 'hi' });
  expect(keyOfLastRequest()).toEqual([`Bearer ${second}`]);

  expect(await administer('detach', id)).toEqual({ secrets: [] });
  const refused = await runClient(home, 'openai', 'refused');
  expect(refused).toMatchObject({ status: 503, code: 'credential_revoked' });
  expect(scene.origin.requests).toHaveLength(2);
  await scene.product.assertNoLeak([first, second]);
});
