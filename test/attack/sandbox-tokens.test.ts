/**
 * Tokens that are not one's own, not valid any more, guessed, or shown in the wrong place. A valid token is
 * never delayed or refused because of what others send.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization, sendConnect } from '../support/client.ts';
import type { ConnectAnswer } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { valuesOf } from '../support/origin.ts';
import type { TestSandbox } from '../support/product.ts';
import { outcomeOf } from '../support/refusal.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const value = mintCanary();
let scene: Scene;
let owner: TestSandbox;

beforeAll(async () => {
  scene = await startScene({ names: [HOST] });
  await scene.product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
  owner = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await scene.product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
});

const connect = (fields: readonly string[]): Promise<ConnectAnswer> =>
  sendConnect({ proxy: scene.product.proxy, authority: `${HOST}:443`, fields });

/** The status and code; anything dialled shows. */
async function challenge(fields: readonly string[]): Promise<string> {
  const { origin } = scene;
  const dialled = origin.connectionCount;
  using answer = await connect(fields);
  const { status, reason } = answer.response;
  return `${status} ${reason}${origin.connectionCount === dialled ? '' : ', but dialled'}`;
}

const CHALLENGED = '407 proxy_auth_required';

describe("another sandbox's token", () => {
  test('I2 brings its own bindings, never those of the caller or of anyone else', async () => {
    const bare = await scene.product.createSandbox();
    const placeholder = owner.placeholders['KEY'] ?? '';
    using tunnel = await scene.product.openTunnel(bare, `${HOST}:443`, scene.authority.caPem);
    const fields = ['Authorization', `Bearer ${placeholder}`];
    expect((await tunnel.request({ path: '/', fields })).status).toBe(200);
    const arrived = valuesOf(scene.origin.last.rawHeaders, 'authorization');
    expect(arrived).toEqual([`Bearer ${placeholder}`]);
  });

  test('I2 shown inside the tunnel changes nothing', async () => {
    const bare = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
    await scene.product.admin.must('DELETE', `/sandboxes/${bare.id}/secrets/KEY`);
    using tunnel = await scene.product.openTunnel(bare, `${HOST}:443`);
    const fields = ['Proxy-Authorization', proxyAuthorization(owner.token)];
    expect((await tunnel.request({ path: '/', fields })).status).toBe(200);
    const { rawHeaders } = scene.origin.last;
    expect(rawHeaders.join()).not.toContain(value);
    expect(valuesOf(rawHeaders, 'proxy-authorization')).toEqual([]);
  });

  test('I6 two credentials at once are ambiguous', async () => {
    const bare = await scene.product.createSandbox();
    const both = [owner, bare].flatMap(({ token }) => [
      'Proxy-Authorization',
      proxyAuthorization(token),
    ]);
    using answer = await connect(both);
    expect(answer.response).toMatchObject({ status: 400, reason: 'bad_request' });
  });

  test('I2 with source_cidrs it does not work from elsewhere', async () => {
    const elsewhere = await scene.product.createSandbox({
      secrets: { KEY: 'api' },
      more: { source_cidrs: ['198.51.100.0/24'] },
    });
    expect(await challenge(['Proxy-Authorization', proxyAuthorization(elsewhere.token)])).toBe(
      CHALLENGED,
    );
  });
});

describe('what is no token', () => {
  test.each<readonly [string, (token: string) => string]>([
    ['cut by one', (token) => `Bearer ${token.slice(0, -1)}`],
    ['longer by one', (token) => `Bearer ${token}x`],
    ['in another case', (token) => `Bearer ${token.toUpperCase()}`],
    ['as the user name', (token) => `Basic ${Buffer.from(`${token}:`).toString('base64')}`],
    ['with a space', (token) => `Basic ${Buffer.from(`x:${token} `).toString('base64')}`],
    ['with a NUL', (token) => `Basic ${Buffer.from(`x:${token}\0`).toString('base64')}`],
    ['twice', (token) => `Bearer ${token}, Bearer ${token}`],
    ['under another scheme', (token) => `Digest ${token}`],
    ['without a scheme', (token) => token],
  ])('I2 a token %s', async (_how, spell) => {
    expect(await challenge(['Proxy-Authorization', spell(owner.token)])).toBe(CHALLENGED);
  });

  test('I2 in Authorization instead of Proxy-Authorization', async () => {
    expect(await challenge(['Authorization', proxyAuthorization(owner.token)])).toBe(CHALLENGED);
  });

  test('I2 the placeholder, the sandbox id and the access token open nothing', async () => {
    const path = `/sandboxes/${owner.id}/activate`;
    const activated = (await scene.product.admin.must('POST', path)) as { access_token: string };
    for (const text of [owner.placeholders['KEY'] ?? '', owner.id, activated.access_token]) {
      expect(await challenge(['Proxy-Authorization', proxyAuthorization(text)])).toBe(CHALLENGED);
    }
  });

  test('I2 a plain request is authenticated like a CONNECT', async () => {
    using connection = await dialProxy(scene.product.proxy);
    const guessed = ['Proxy-Authorization', proxyAuthorization('guessed')];
    const fields = ['Host', HOST, ...guessed];
    const answer = await connection.request({ path: `http://${HOST}/`, fields });
    expect(outcomeOf(answer)).toBe('407 proxy_auth_required');
  });
});

describe('an expired token', () => {
  test('I2 opens nothing, and what it had opened is closed', async () => {
    const { product } = scene;
    const more = { ttl_seconds: 2 };
    const fading = await product.createSandbox({ secrets: { KEY: 'api' }, more });
    using tunnel = await product.openTunnel(fading, `${HOST}:443`);
    await tunnel.reader.waitForEnd(6_000);
    expect(await challenge(['Proxy-Authorization', proxyAuthorization(fading.token)])).toBe(
      CHALLENGED,
    );
  });

  test('I2 a replaced one opens nothing, with overlap until the overlap ends', async () => {
    const { product } = scene;
    const one = await product.createSandbox({ secrets: { KEY: 'api' } });
    await product.admin.must('POST', `/sandboxes/${one.id}/token`, { overlap_seconds: 2 });
    using still = await connect(['Proxy-Authorization', proxyAuthorization(one.token)]);
    expect(still.response.status).toBe(200);
    await eventually(async () => {
      expect(await challenge(['Proxy-Authorization', proxyAuthorization(one.token)])).toBe(
        CHALLENGED,
      );
    }, 6_000);
  });
});

test('I7 guessing: from the 20th unknown token on the answer waits, valid tokens do not', async () => {
  const guess = (): Promise<ConnectAnswer> =>
    connect(['Proxy-Authorization', proxyAuthorization('not-a-token')]);
  // At once, since what earlier tests guessed counts as well and some of these wait already.
  const first = await Promise.all(Array.from({ length: 20 }, guess));
  for (const answer of first) {
    expect(answer.response.status).toBe(407);
    answer[Symbol.dispose]();
  }
  const order: string[] = [];
  const guessed = guess().then((answer) => {
    order.push('guessed');
    return answer;
  });
  for (let i = 0; i < 5; i += 1) {
    using valid = await connect(['Proxy-Authorization', proxyAuthorization(owner.token)]);
    expect(valid.response.status).toBe(200);
    using bare = await connect([]);
    expect(bare.response.status).toBe(407);
    order.push('valid');
  }
  using late = await guessed;
  expect(late.response.status).toBe(407);
  expect(order).toEqual(['valid', 'valid', 'valid', 'valid', 'valid', 'guessed']);
}, 15_000);
