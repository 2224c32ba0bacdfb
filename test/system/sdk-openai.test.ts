/**
 * The unmodified `openai` package in a sandbox: ordinary calls, server-sent events, an upload, the realtime
 * WebSocket, and what it makes of our refusals.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
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

const HOST = 'api.openai.com';
const CHAT = '/v1/chat/completions';
const key = mintCanary('sk-proj-');
const json = ['Content-Type', 'application/json', 'x-request-id', 'req_origin'];

function chunk(content: string): string {
  const choices = [{ index: 0, delta: { content }, finish_reason: null }];
  const event = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, choices };
  return `data: ${JSON.stringify(event)}\n\n`;
}

function typed(type: string): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: 1 })}\n\n`;
}

const completion = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'gpt-test',
  choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }],
};
const sse = { contentType: 'text/event-stream', answer: { object: 'list', data: [] } };
const chat = holdStream({ ...sse, first: chunk('one'), rest: `${chunk('two')}data: [DONE]\n\n` });
const broken = holdStream({ ...sse, first: chunk('one'), rest: '', end: 'cut' });
const responses = holdStream({
  ...sse,
  first: typed('response.created'),
  rest: typed('response.completed'),
});
/** Which of the streams the origin plays next. */
let playing = chat;
/** The origin drops the next ordinary call after reading it. */
let dropsNext = false;
/** What the admin does while the origin works on the next ordinary calls. */
const meanwhile: (() => Promise<unknown>)[] = [];
const realtime = new WebSocketServer({ noServer: true });

const answerChat: OriginHandler = async (request, response, body) => {
  const sent = JSON.parse((await body()).toString()) as { stream?: boolean };
  await meanwhile.shift()?.();
  if (dropsNext) {
    dropsNext = false;
    request.socket.destroy();
  } else if (sent.stream === true) await playing.stream(request, response, body);
  else await reply(200, JSON.stringify(completion), json)(request, response, body);
};

let scene: Scene;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST],
    handlers: {
      [CHAT]: answerChat,
      '/v1/responses': (...exchange) => playing.stream(...exchange),
      '/v1/models': (...exchange) => playing.release(...exchange),
      '/v1/files': reply(200, '{"id":"file-1","object":"file"}', json),
    },
    onUpgrade: (request, socket, head) => {
      realtime.handleUpgrade(request, socket, head, (client) => {
        client.send(JSON.stringify({ type: 'session.created', event_id: 'e', session: {} }));
      });
    },
  });
  await scene.product.createSecret('openai', key, { provider: 'openai' });
});
afterAll(() => scene[Symbol.asyncDispose]());

async function openAgent(): Promise<ClientHome> {
  scene.origin.clear();
  const sandbox = await scene.product.createSandbox({
    secrets: { OPENAI_API_KEY: 'openai' },
    more: { env_vars: { OPENAI_ORG_ID: 'org-test', OPENAI_PROJECT_ID: 'proj-test' } },
  });
  return openHome(scene.product, sandbox);
}

/** Every request carried the key once, in its one place, and the placeholder went nowhere. */
async function expectInjected({ sandbox }: ClientHome, requests: readonly string[]): Promise<void> {
  const { origin, product } = scene;
  const placeholder = sandbox.placeholders['OPENAI_API_KEY'] ?? '';
  expect(placeholder).toMatch(/^sk-proj-[A-Za-z0-9]{64}$/);
  expect(origin.requests.map(({ method, url }) => `${method} ${url}`)).toEqual(requests);
  for (const { rawHeaders } of origin.requests) {
    expect(valuesOf(rawHeaders, 'authorization')).toEqual([`Bearer ${key}`]);
    expect(rawHeaders.join('\n').split(key)).toHaveLength(2);
    expect(rawHeaders.join('\n')).not.toContain(placeholder);
    expect(valuesOf(rawHeaders, 'proxy-authorization')).toEqual([]);
  }
  await product.assertNoLeak(key);
}

describe('openai in a sandbox', () => {
  test('an ordinary call', async () => {
    const home = await openAgent();
    expect(await runClient(home, 'openai', 'ordinary')).toEqual({ text: 'hi', id: 'req_origin' });
    await expectInjected(home, [`POST ${CHAT}`]);
    const { rawHeaders } = scene.origin.last;
    expect(valuesOf(rawHeaders, 'openai-organization')).toEqual(['org-test']);
    expect(valuesOf(rawHeaders, 'openai-project')).toEqual(['proj-test']);
    expect(valuesOf(rawHeaders, 'user-agent').join()).toMatch(/^OpenAI\/JS /);
    await expectUses(scene.product, 'openai', home.sandbox, [`POST ${CHAT} 200`]);
  });

  test('a key the agent brought itself does not go out', async () => {
    const home = await openAgent();
    expect(await runClient(home, 'openai', 'ownKey')).toEqual({ text: 'hi' });
    await expectInjected(home, [`POST ${CHAT}`]);
  });

  test('server-sent events arrive one by one', async () => {
    playing = chat;
    const home = await openAgent();
    expect(await runClient(home, 'openai', 'stream')).toEqual({ pieces: ['one', 'two'] });
    await expectInjected(home, [`POST ${CHAT}`, 'GET /v1/models']);
    const uses = ['GET /v1/models 200', `POST ${CHAT} 200`];
    await expectUses(scene.product, 'openai', home.sandbox, uses);
  });

  test('the responses API streams its typed events', async () => {
    playing = responses;
    const home = await openAgent();
    const types = ['response.created', 'response.completed'];
    expect(await runClient(home, 'openai', 'responses')).toEqual({ types });
    await expectInjected(home, ['POST /v1/responses', 'GET /v1/models']);
  });

  test('a stream the origin broke is an error, not a short answer', async () => {
    playing = broken;
    const home = await openAgent();
    const error = await runClient(home, 'openai', 'brokenStream');
    expect(error.name).not.toBe('none');
    await expectInjected(home, [`POST ${CHAT}`, 'GET /v1/models']);
  });

  test('an upload arrives whole', async () => {
    const home = await openAgent();
    expect(await runClient(home, 'openai', 'upload')).toEqual({ id: 'file-1' });
    await expectInjected(home, ['POST /v1/files']);
    const body = scene.origin.last.body.toString('latin1');
    expect(body).toContain('filename="training.jsonl"');
    expect(body.split('sallyport ')).toHaveLength(30_001);
  });

  test('the realtime WebSocket opens with the key in its handshake', async () => {
    const home = await openAgent();
    expect(await runClient(home, 'openai', 'realtime')).toEqual({ type: 'session.created' });
    await expectInjected(home, ['GET /v1/realtime?model=gpt-realtime']);
    expect(scene.origin.last.upgrade).toBe(true);
  });
});

describe('what openai makes of a refusal', () => {
  test('a detached secret: our sentence, code and hint, and no second try', async () => {
    const home = await openAgent();
    const { id } = home.sandbox;
    await scene.product.admin.must('DELETE', `/sandboxes/${id}/secrets/OPENAI_API_KEY`);
    expect(await runClient(home, 'openai', 'refused')).toEqual({
      name: 'InternalServerError',
      status: 503,
      code: 'credential_revoked',
      type: 'sallyport_refusal',
      message: '503 The secret of OPENAI_API_KEY was detached from this sandbox.',
      hint: 'Attach a secret to the sandbox again and use its new placeholder.',
    });
    expect(scene.origin.requests).toEqual([]);
    await expectOneRefusal(scene.product, 'openai', home.sandbox, 'credential_revoked');
  });

  test('rotated, then detached between the calls of one running client', async () => {
    const rotated = mintCanary('sk-proj-');
    const { admin } = scene.product;
    await scene.product.createSecret('openai_session', key, { provider: 'openai' });
    const sandbox = await scene.product.createSandbox({
      secrets: { OPENAI_API_KEY: 'openai_session' },
    });
    const home = await openHome(scene.product, sandbox);
    scene.origin.clear();
    meanwhile.push(
      () => admin.must('PATCH', '/secrets/openai_session', { value: rotated }),
      () => admin.must('DELETE', `/sandboxes/${sandbox.id}/secrets/OPENAI_API_KEY`),
    );
    expect(await runClient(home, 'openai', 'session')).toMatchObject({
      first: { text: 'hi' },
      second: { text: 'hi' },
      third: { status: 503, code: 'credential_revoked' },
    });
    const sent = scene.origin.requests.map((one) => valuesOf(one.rawHeaders, 'authorization'));
    expect(sent).toEqual([[`Bearer ${key}`], [`Bearer ${rotated}`]]);
    await scene.product.assertNoLeak([key, rotated]);
  });

  test('a call the secret does not permit', async () => {
    const narrow = { provider: 'openai', methods: ['GET'] };
    await scene.product.createSecret('openai_read', key, narrow);
    const sandbox = await scene.product.createSandbox({
      secrets: { OPENAI_API_KEY: 'openai_read' },
    });
    scene.origin.clear();
    const home = await openHome(scene.product, sandbox);
    expect(await runClient(home, 'openai', 'refused')).toMatchObject({
      name: 'PermissionDeniedError',
      code: 'credential_not_permitted',
      message: expect.stringMatching(/^403 The secret of OPENAI_API_KEY permits methods GET only/),
    });
    expect(scene.origin.requests).toEqual([]);
    await expectOneRefusal(scene.product, 'openai_read', sandbox, 'credential_not_permitted');
  });

  test('an origin that dropped the call: tried again, as the refusal advises', async () => {
    const home = await openAgent();
    dropsNext = true;
    expect(await runClient(home, 'openai', 'ordinary')).toMatchObject({ text: 'hi' });
    await expectInjected(home, [`POST ${CHAT}`, `POST ${CHAT}`]);
    const uses = [`POST ${CHAT}  upstream_unreachable`, `POST ${CHAT} 200`];
    await expectUses(scene.product, 'openai', home.sandbox, uses);
  });
});
