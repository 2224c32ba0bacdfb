/**
 * A sandbox that asks the mask what a value is: it has whatever it likes echoed to it and looks at what comes
 * back. Until half of the secret part is right, a right guess looks like a wrong one. And the ways around the
 * mask: other codings, parts, a user name of one's own, pieces.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import type { HttpConnection } from '../support/client.ts';
import type { OriginHandler } from '../support/origin.ts';
import { valuesOf } from '../support/origin.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const BASIC = 'git.example.test';
const PREFIX = 'ghp_';
const value = mintCanary(PREFIX);
const half = PREFIX.length + Math.ceil((value.length - PREFIX.length) / 2);
let scene: Scene;
let sandbox: TestSandbox;

/** What the sandbox sends, in body and head, as many pieces as `X-Pieces` says; and what was injected. */
const echo: OriginHandler = async (request, response, body) => {
  const text = (await body()).toString();
  response.writeHead(200, ['X-Echo', text, 'X-Sent', String(request.headers.authorization)]);
  const length = Math.ceil(text.length / Number(request.headers['x-pieces'] ?? 1)) || 1;
  for (let at = 0; at < text.length; at += length) response.write(text.slice(at, at + length));
  response.end();
};

beforeAll(async () => {
  scene = await startScene({ names: [HOST, BASIC], handlers: { '/echo': echo } });
  const { product } = scene;
  await product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
  await product.createSecret('git', value, { auth: { type: 'basic' }, hosts: [BASIC] });
  sandbox = await product.createSandbox({ secrets: { KEY: 'api', GIT: 'git' } });
});

afterAll(async () => {
  await scene.product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
});

const open = (host = HOST): Promise<HttpConnection> =>
  scene.product.openTunnel(sandbox, `${host}:443`);

async function echoed(tunnel: HttpConnection, body: string, pieces = 1): Promise<string[]> {
  const fields = ['X-Pieces', String(pieces)];
  const response = await tunnel.request({ method: 'POST', path: '/echo', body, fields });
  return [response.text(), response.field('x-echo') ?? ''];
}

describe('I3: guessing', () => {
  test('a right guess of less than half comes back like any text, however it is cut', async () => {
    using tunnel = await open();
    for (let length = 1; length < half; length += 1) {
      const guess = value.slice(0, length);
      expect(await echoed(tunnel, guess, length)).toEqual([guess, guess]);
      expect(await echoed(tunnel, `${guess}${guess}.`)).toEqual([
        `${guess}${guess}.`,
        `${guess}${guess}.`,
      ]);
    }
    const known = '*'.repeat(half);
    const right = value.slice(0, half);
    expect(await echoed(tunnel, right)).toEqual([known, known]);
    expect(await echoed(tunnel, right, half)).toEqual([`${right.slice(0, -1)}*`, known]);
  });

  test('pieces from the inside come back like any text', async () => {
    using tunnel = await open();
    for (let at = 1; at < value.length; at += 3) {
      const piece = value.slice(at);
      expect(await echoed(tunnel, piece)).toEqual([piece, piece]);
    }
  });

  test('with a user name of its own, at every alignment of base64', async () => {
    using tunnel = await open(BASIC);
    for (const name of ['', 'a', 'ab', 'abc', 'x'.repeat(100), 'x'.repeat(5_000)]) {
      const pair = Buffer.from(`${name}:${sandbox.placeholders['GIT']}`).toString('base64');
      const fields = ['Authorization', `Basic ${pair}`];
      const response = await tunnel.request({ path: '/echo', fields });
      const sent = Buffer.from(`${name}:${value}`).toString('base64');
      expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Basic ${sent}`]);
      const shown = response.field('x-sent')?.slice('Basic '.length) ?? '';
      expect(shown.length).toBe(sent.length);
      // Of a name of its own a sandbox may see the beginning.
      expect(shown).toMatch(name.length > 120 ? /^[A-Za-z0-9]+\*{200,}$/ : /^\*+$/);
    }
  });
});
