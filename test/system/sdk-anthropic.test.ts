/**
 * The unmodified `@anthropic-ai/sdk` in a sandbox: ordinary calls, server-sent events, both ways in which
 * it authenticates, and what it makes of our refusals.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openHome, runClient } from '../sdk/client-program.ts';
import type { ClientHome } from '../sdk/client-program.ts';
import { holdStream } from '../sdk/held-stream.ts';
import { expectOneRefusal, expectUses } from '../sdk/use-record.ts';
import { mintCanary } from '../support/canary.ts';
import { valuesOf } from '../support/origin.ts';
import type { OriginHandler } from '../support/origin.ts';
import { reply } from '../support/origin-replies.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.anthropic.com';
const MESSAGES = '/v1/messages';
/** The companion header of the provider is older: it must not replace what the client sent. */
const VERSION_OF_THE_SDK = '2026-10-21';
const key = mintCanary('sk-ant-api03-');

interface ServerEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

function frame(event: ServerEvent): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

const message = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-test',
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 1, output_tokens: 1 },
};
const start = { ...message, content: [], stop_reason: null };
const rest: readonly ServerEvent[] = [
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hi' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 1 } },
  { type: 'message_stop' },
];
const held = holdStream({
  contentType: 'text/event-stream; charset=utf-8',
  first: frame({ type: 'message_start', message: start }),
  rest: rest.map(frame).join(''),
  answer: { data: [], has_more: false, first_id: null, last_id: null },
});

const answerMessages: OriginHandler = async (request, response, body) => {
  const sent = JSON.parse((await body()).toString()) as { stream?: boolean };
  const answer = JSON.stringify({ ...message, content: [{ type: 'text', text: 'hi' }] });
  const fields = ['Content-Type', 'application/json', 'request-id', 'req_origin'];
  await (sent.stream === true ? held.stream : reply(200, answer, fields))(request, response, body);
};

let scene: Scene;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST],
    handlers: { [MESSAGES]: answerMessages, '/v1/models': held.release },
  });
  await scene.product.createSecret('anthropic', key, { provider: 'anthropic' });
});
afterAll(() => scene[Symbol.asyncDispose]());

/** `variable`: where the SDK looks for its credential. */
async function openAgent(variable = 'ANTHROPIC_API_KEY'): Promise<ClientHome> {
  scene.origin.clear();
  const sandbox = await scene.product.createSandbox({ secrets: { [variable]: 'anthropic' } });
  return openHome(scene.product, sandbox);
}

async function expectInjected({ sandbox }: ClientHome, requests: readonly string[]): Promise<void> {
  const { origin, product } = scene;
  const [placeholder = ''] = Object.values(sandbox.placeholders);
  expect(placeholder).toMatch(/^sk-ant-api03-[A-Za-z0-9]{48}$/);
  expect(origin.requests.map(({ method, url }) => `${method} ${url}`)).toEqual(requests);
  for (const { rawHeaders } of origin.requests) {
    expect(valuesOf(rawHeaders, 'x-api-key')).toEqual([key]);
    expect(valuesOf(rawHeaders, 'authorization')).toEqual([]);
    expect(valuesOf(rawHeaders, 'anthropic-version')).toEqual([VERSION_OF_THE_SDK]);
    expect(rawHeaders.join('\n').split(key)).toHaveLength(2);
    expect(rawHeaders.join('\n')).not.toContain(placeholder);
  }
  await product.assertNoLeak(key);
}

describe('@anthropic-ai/sdk in a sandbox', () => {
  test.each(['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN'])(
    'an ordinary call with %s: the key stands in x-api-key alone',
    async (variable) => {
      const home = await openAgent(variable);
      const answer = await runClient(home, 'anthropic', 'ordinary');
      expect(answer).toEqual({ text: 'hi', id: 'req_origin' });
      await expectInjected(home, [`POST ${MESSAGES}`]);
      await expectUses(scene.product, 'anthropic', home.sandbox, [`POST ${MESSAGES} 200`]);
    },
  );

  test('server-sent events arrive one by one', async () => {
    const home = await openAgent();
    const types = ['message_start', ...rest.map(({ type }) => type)];
    expect(await runClient(home, 'anthropic', 'stream')).toEqual({ types });
    await expectInjected(home, [`POST ${MESSAGES}`, 'GET /v1/models']);
    const uses = [`POST ${MESSAGES} 200`, 'GET /v1/models 200'];
    await expectUses(scene.product, 'anthropic', home.sandbox, uses);
  });

  test('the streaming helper puts the message together', async () => {
    const home = await openAgent();
    const whole = { text: 'hi', stop: 'end_turn' };
    expect(await runClient(home, 'anthropic', 'accumulated')).toEqual(whole);
    await expectInjected(home, [`POST ${MESSAGES}`, 'GET /v1/models']);
  });
});

describe('what @anthropic-ai/sdk makes of a refusal', () => {
  test('a detached secret: our sentence, and no second try', async () => {
    const home = await openAgent();
    const { id } = home.sandbox;
    await scene.product.admin.must('DELETE', `/sandboxes/${id}/secrets/ANTHROPIC_API_KEY`);
    expect(await runClient(home, 'anthropic', 'refused')).toEqual({
      name: 'ServiceUnavailableError',
      status: 503,
      type: 'sallyport_refusal',
      message: '503 The secret of ANTHROPIC_API_KEY was detached from this sandbox.',
      apiMessage: 'The secret of ANTHROPIC_API_KEY was detached from this sandbox.',
    });
    expect(scene.origin.requests).toEqual([]);
    await expectOneRefusal(scene.product, 'anthropic', home.sandbox, 'credential_revoked');
  });

  test("another provider's placeholder", async () => {
    await scene.product.createSecret('exa', mintCanary(), { provider: 'exa' });
    const secrets = { ANTHROPIC_API_KEY: 'exa', OTHER: 'anthropic' };
    const sandbox = await scene.product.createSandbox({ secrets });
    const home = await openHome(scene.product, sandbox);
    scene.origin.clear();
    expect(await runClient(home, 'anthropic', 'refused')).toMatchObject({
      name: 'PermissionDeniedError',
      status: 403,
      type: 'sallyport_refusal',
    });
    expect(scene.origin.requests).toEqual([]);
    await expectOneRefusal(scene.product, 'exa', sandbox, 'credential_host_mismatch');
  });
});
