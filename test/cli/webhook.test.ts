/**
 * `sallyport webhook` against the real product, and the receivers of the guide: what it prints in Node and
 * Python is run on what was really sent.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CreatedWebhook, DeliveryView, WebhookView } from '../../cli/admin-shapes.ts';
import { lacks } from '../support/missing-tools.ts';
import { startScene, type Scene } from '../support/scene.ts';
import { ROOT, runProgram, runSallyport, type Outcome } from './command-line.ts';

const HOOKS = 'hooks.example.test';
const url = `https://${HOOKS}/hook`;

interface Message {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const told: Message[] = [];
let status = 204;
let scene: Scene;
let directory = '';

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-webhook-'));
  scene = await startScene({
    names: [HOOKS],
    handlers: {
      '/hook': async (request, response, body) => {
        const headers = request.headers as Record<string, string>;
        told.push({ headers, body: (await body()).toString() });
        response.statusCode = status;
        response.end();
      },
    },
  });
});

afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await scene[Symbol.asyncDispose]();
});

function sallyport(...args: readonly string[]): Promise<Outcome> {
  const { admin } = scene.product;
  const env = { SALLYPORT_URL: admin.origin, SALLYPORT_API_KEY: admin.key };
  return runSallyport(['webhook', ...args], { env });
}

async function must<T>(...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await sallyport(...args, '--json');
  expect([stderr, code]).toEqual(['', 0]);
  return JSON.parse(stdout) as T;
}

test('its life: made, shown without its secret, changed, told, listed, deleted', async () => {
  expect((await sallyport('list')).stdout).toContain('no webhooks yet');
  const made = await sallyport('create', url, '--event', 'misuse.refused', '--description', 'x');
  expect(made.stderr).toBe('');
  const secret = /signing secret: (whsec_\S+) {2}\(shown once\)/.exec(made.stdout)?.[1] ?? '';
  expect(secret).not.toBe('');

  const shown = await sallyport('show', url);
  expect(shown.stdout).toMatch(/events +misuse\.refused/);
  expect(shown.stdout).toMatch(/description +x/);
  const listed = await sallyport('list');
  expect(listed.stdout).toMatch(/^ID +STATE +URL +EVENTS\n\S+ +on +https/);
  const [one] = await must<WebhookView[]>('list');
  const id = one?.id ?? '';
  expect((await must<WebhookView>('show', id)).url).toBe(url);

  const args = ['--event', 'secret.rotated', '--event', 'misuse.refused', '--description', ''];
  expect((await sallyport('update', url, ...args)).stdout).toBe(`updated webhook ${id}\n`);
  const changed = await must<WebhookView>('update', id, '--disable');
  expect(changed).toMatchObject({ disabled: true, description: null });
  expect(changed.events).toEqual(['secret.rotated', 'misuse.refused']);
  expect((await sallyport('list')).stdout).toContain(' off ');
  expect(await must<WebhookView>('update', url, '--enable')).toMatchObject({ disabled: false });

  expect((await sallyport('test', id)).stdout).toMatch(/^delivered: answered 204 \(\d+ ms\)\n$/);
  status = 500;
  const failed = await sallyport('test', url);
  status = 204;
  expect([failed.code, failed.stdout]).toEqual([
    1,
    expect.stringMatching(/^NOT delivered: answered 500/),
  ]);
  const table = await sallyport('deliveries', id);
  expect(table.stdout).toMatch(/^SEQ +TIME +EVENT|^nothing to tell it yet/);
  expect(Array.isArray(await must<DeliveryView[]>('deliveries', id, '--limit', '1'))).toBe(true);

  const later = [shown, listed, table].map(({ stdout }) => stdout).join('');
  expect(later).not.toContain(secret);
  expect((await sallyport('delete', url)).stdout).toBe(`deleted webhook ${url}\n`);
  expect((await sallyport('show', id)).code).toBe(6);
  const gone = await sallyport('delete', url);
  expect([gone.code, gone.stderr]).toEqual([6, expect.stringContaining('there is none')]);
});

test('what was told is listed, newest first and by pages', async () => {
  const { id } = await must<CreatedWebhook>('create', url, '--event', 'secret.rotated');
  const { product } = scene;
  await product.createSecret('paged', 'first-value', {
    auth: { type: 'bearer' },
    hosts: [HOOKS],
  });
  for (const value of ['second-value', 'third-value']) {
    await product.admin.must('PATCH', '/secrets/paged', { value });
  }
  const rows = await must<DeliveryView[]>('deliveries', id);
  expect(rows.map(({ event }) => event)).toEqual(['secret.rotated', 'secret.rotated']);
  const [newest, oldest] = rows;
  const before = await must<DeliveryView[]>('deliveries', id, '--before', String(newest?.seq));
  expect(before.map(({ seq }) => seq)).toEqual([oldest?.seq]);
  expect((await sallyport('deliveries', id)).stdout).toMatch(/\n\d+ +\S+ +secret\.rotated/);
  await sallyport('delete', id);
});

test.each([
  [['create', 'https://hooks.example.test/', '--event', 'bogus'], 8],
  [['update', 'x'], 2],
  [['update', 'x', '--enable', '--disable'], 2],
  [['show', '00000000-0000-4000-8000-000000000000'], 6],
  [['deliveries', 'x', '--limit', 'many'], 2],
])('%j ends with %s', async (args, code) => {
  expect((await sallyport(...args)).code).toBe(code);
});

describe('the receiver of the guide', () => {
  let message: Message;
  let secret = '';

  beforeAll(async () => {
    const made = await must<CreatedWebhook>('create', url);
    secret = made.signing_secret;
    told.length = 0;
    await must('test', made.id);
    message = told[0] ?? { headers: {}, body: '' };
  });

  const guide = readFileSync(join(ROOT, 'docs/guides/trails.md'), 'utf8');
  const codeOf = (language: string): string =>
    new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(guide)?.[1] ?? '';

  /** Each message on standard input as JSON; prints `true` or `false` for each. */
  const RECEIVERS = {
    node: {
      file: 'receiver.mjs',
      code: `${codeOf('js')}
import { readFileSync } from 'node:fs';
for (const { headers, body, secret } of JSON.parse(readFileSync(0, 'utf8')))
  console.log(String(isFromSallyport(headers, Buffer.from(body), secret)));`,
    },
    python3: {
      file: 'receiver.py',
      code: `${codeOf('python')}
import json, sys
for one in json.load(sys.stdin):
    print(str(is_from_sallyport(one["headers"], one["body"].encode(), one["secret"])).lower())`,
    },
  };

  for (const tool of ['node', 'python3'] as const) {
    test.skipIf(lacks(tool))(`in ${tool} takes what we sent, and nothing else`, async () => {
      const { headers, body } = message;
      const cases = [
        { headers, body, secret },
        {
          headers: { ...headers, 'webhook-signature': `v1,AAAA ${headers['webhook-signature']}` },
          body,
          secret,
        },
        { headers, body: `${body} `, secret },
        { headers: { ...headers, 'webhook-id': 'msg_other' }, body, secret },
        { headers: { ...headers, 'webhook-timestamp': '1700000000' }, body, secret },
        { headers, body, secret: `whsec_${Buffer.alloc(32).toString('base64')}` },
      ];
      const { file, code } = RECEIVERS[tool];
      writeFileSync(join(directory, file), code);
      const ran = await runProgram(tool, [join(directory, file)], { input: JSON.stringify(cases) });
      expect(ran.stderr).toBe('');
      expect(ran.stdout.trim().split('\n')).toEqual([
        'true',
        'true',
        'false',
        'false',
        'false',
        'false',
      ]);
    });
  }
});
