/**
 * HTTP/1.1 clients that end their half, politely or so that TLS is not told, at every point of a request. Who
 * has asked gets the whole answer; what was cut short is never taken for whole by the origin, leaves one event
 * (I4) and holds nothing (I7). Resets are in `client-resets.test.ts`, silence in `test/attack/exhaustion.test.ts`.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import type { HttpConnection } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { slow } from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const value = mintCanary();
let scene: Scene;
/** Paths of requests that the origin has read to their end. */
const whole: string[] = [];

beforeAll(async () => {
  scene = await startScene({
    names: [HOST],
    handlers: {
      '/slow': slow(300, 'late but whole'),
      '/cut': async (request, response, body) => {
        await body();
        if (!request.complete) return;
        whole.push(request.url ?? '');
        response.end('read');
      },
    },
  });
  await scene.product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
});

afterAll(async () => {
  await scene.product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
});

const post = `POST /cut HTTP/1.1\r\nHost: ${HOST}\r\n`;
const points: readonly { readonly when: string; readonly sent: string; readonly events: number }[] =
  [
    { when: 'before a word', sent: '', events: 0 },
    { when: 'amid the head', sent: post, events: 0 },
    { when: 'after the head', sent: `${post}Content-Length: 100\r\n\r\n`, events: 1 },
    { when: 'amid the body', sent: `${post}Content-Length: 100\r\n\r\nhalf`, events: 1 },
    {
      when: 'amid a chunk',
      sent: `${post}Transfer-Encoding: chunked\r\n\r\n64\r\nhalf`,
      events: 1,
    },
    {
      when: 'between two chunks',
      sent: `${post}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`,
      events: 1,
    },
    {
      when: 'amid the end of the last chunk',
      sent: `${post}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n`,
      events: 1,
    },
  ];

/** `truncate`: FIN without TLS's own goodbye. */
type End = 'polite' | 'truncate';
const ends: readonly End[] = ['polite', 'truncate'];

function end(client: HttpConnection, how: End): void {
  if (how === 'polite') client.socket.end();
  else client.destroy();
}

interface Row {
  readonly status: number;
  readonly path?: string;
  readonly error_code?: string | null;
}

async function rowsOf({ id }: TestSandbox): Promise<readonly Row[]> {
  const { data } = (await scene.product.admin.must('GET', `/sandboxes/${id}/network`)) as {
    readonly data: readonly (Row & { readonly kind: string })[];
  };
  return data.filter(({ kind }) => kind === 'request');
}

const open = (sandbox: TestSandbox): Promise<HttpConnection> =>
  scene.product.openTunnel(sandbox, `${HOST}:443`);

describe.each(ends)('I4 I6 a client that ends: %s', (how) => {
  test.each(points)('$when', async ({ sent, events }) => {
    const sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
    using client = await open(sandbox);
    if (sent !== '') client.send(sent);
    // What was sent arrives before the end.
    await new Promise((resolve) => setTimeout(resolve, 30));
    end(client, how);
    await eventually(async () => {
      const rows = await rowsOf(sandbox);
      const told = rows.map(({ error_code: code }) => code);
      expect(told).toHaveLength(events);
      expect(told.every((code) => code === 'client_aborted' || code === 'bad_request')).toBe(true);
    });
    expect(whole).toEqual([]);
    using next = await open(sandbox);
    expect((await next.request({ path: '/' })).status).toBe(200);
  });
});

test('I4 one that ends its half after the request gets the whole answer', async () => {
  const sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
  using client = await open(sandbox);
  client.sendRequest({ path: '/slow' });
  client.socket.end();
  expect((await client.readResponse()).text()).toBe('late but whole');
  await eventually(async () => {
    expect(await rowsOf(sandbox)).toMatchObject([{ status: 200, path: '/slow' }]);
  });
});

test('I7 afterwards nothing is held', async () => {
  await eventually(async () => {
    const text = (await scene.product.admin.get('/metrics')).text;
    const held = [...text.matchAll(/^sallyport_connections\{kind="\w+"\} \d+$/gm)].map(String);
    expect(held.length).toBeGreaterThan(0);
    expect(held.filter((line) => !line.endsWith(' 0'))).toEqual([]);
  }, 5_000);
});
