/**
 * A secret restricted to methods and paths, and every trick to be read as another request by the origin
 * than by us: encodings, dot segments, parameters, backslashes, slashes, override headers.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import type { HttpConnection } from '../support/client.ts';
import { valuesOf } from '../support/origin.ts';
import type { TestSandbox } from '../support/product.ts';
import { outcomeOf } from '../support/refusal.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const RULES = 'rules.example.test';
const value = mintCanary();
let scene: Scene;
let sandbox: TestSandbox;

beforeAll(async () => {
  scene = await startScene({ names: [HOST, RULES] });
  await scene.product.createSecret('api', value, {
    auth: { type: 'bearer' },
    hosts: [HOST],
    methods: ['GET'],
    paths: ['/v1/public/**', '/v1/users/*/name'],
  });
  await scene.product.createSecret('rules', value, {
    auth: {
      per_host: [
        { hosts: [RULES], paths: ['/git/**'], type: 'basic', username: 'x' },
        { hosts: [RULES], paths: ['/api/**'], type: 'bearer' },
      ],
    },
    hosts: [RULES],
  });
  sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api', RULES: 'rules' } });
});

afterAll(async () => {
  await scene.product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
});

const open = (host = HOST): Promise<HttpConnection> =>
  scene.product.openTunnel(sandbox, `${host}:443`);

const DENIED = '403 credential_not_permitted';

describe('I2 paths', () => {
  const tricks = [
    // Plainly outside.
    '/',
    '/v1/private',
    '/v1/public',
    '/V1/public/x',
    '//v1/public/x',
    '/v2/public/x',
    '/?/v1/public/x',
    '/v1/private?/v1/public/',
    // Dot segments, raw and encoded to every depth.
    '/v1/public/../private',
    '/v1/public/..',
    '/v1/public/../',
    '/v1/public/x/../../private',
    '/v1/public/./../private',
    '/v1/public/%2e%2e/private',
    '/v1/public/%2E%2E/private',
    '/v1/public/.%2e/private',
    '/v1/public/%2e./private',
    '/v1/public/..%2fprivate',
    '/v1/public/..%2Fprivate',
    '/v1/public/%2e%2e%2fprivate',
    '/v1/public%2f..%2fprivate',
    '/v1/public/%252e%252e/private',
    '/v1/public/%252e%252e%252fprivate',
    '/v1/public/%25252e%25252e/private',
    '/v1/public/%2525252e%2525252e/private',
    '/v1/public/%2%65%2%65/private',
    '/v1/public/%%32%65%%32%65/private',
    '/v1/public/%u002e%u002e/private/%2e%2e/%2e%2e/..',
    '/v1/public/%c0%ae%c0%ae/private',
    '/v1/public/%e0%80%ae%e0%80%ae/private',
    '/v1/public/%00/../private',
    '/v1/public/..%00/private',
    '/v1/public/%0a/x',
    '/v1/public/%0d%0aHost:%20evil',
    // Backslashes.
    '/v1/public/..\\private',
    '/v1/public\\..\\private',
    '/v1/public/..%5cprivate',
    '/v1/public/..%5Cprivate',
    '/v1/public/..%255cprivate',
    // Parameters.
    '/v1/public/..;/private',
    '/v1/public/..;x=1/private',
    '/v1/public/..%3b/private',
    '/v1/public/..%3bx/private',
    '/v1/public;/../private',
    '/v1/public/.;/..;/private',
    // Repeated slashes.
    '/v1/public//../../private',
    '/v1//private',
    '/v1/public/..//private',
    // The one-segment wildcard.
    '/v1/users/a/b/name',
    '/v1/users//name',
    '/v1/users/a%2fb/name',
    '/v1/users/..%2f..%2fadmin/name',
    '/v1/users/%2e%2e/name',
    '/v1/users/a/name/../../../private',
    '/v1/users/a;/name/..',
  ];
  test.each(tricks)('%s is refused', async (path) => {
    scene.origin.clear();
    using tunnel = await open();
    expect(outcomeOf(await tunnel.request({ path }))).toBe(DENIED);
    expect(scene.origin.requests).toEqual([]);
  });

  test.each([
    '/v1/public/',
    '/v1/public/x',
    '/v1/public/a%2Fb',
    '/v1/public/a%20b',
    '/v1/public/x?to=../../private',
    '/v1/public/a//b',
    '/v1/public/a/../b',
    '/v1/users/some-one/name',
    '/v1/users/some%40one/name?x=%2e%2e',
  ])('%s is allowed, and arrives byte for byte', async (path) => {
    scene.origin.clear();
    using tunnel = await open();
    expect((await tunnel.request({ path })).status).toBe(200);
    expect(scene.origin.last.url).toBe(path);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
  });

  test('absolute-form is judged by its path', async () => {
    scene.origin.clear();
    using tunnel = await open();
    const path = `https://${HOST}/v1/public/..%2fprivate`;
    expect(outcomeOf(await tunnel.request({ path }))).toBe(DENIED);
    expect(scene.origin.requests).toEqual([]);
  });
});

describe('I2 methods', () => {
  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PURGE', 'PROPFIND', 'LOCK', 'MKCOL'])(
    '%s is refused',
    async (method) => {
      scene.origin.clear();
      using tunnel = await open();
      expect(outcomeOf(await tunnel.request({ method, path: '/v1/public/x' }))).toBe(DENIED);
      expect(scene.origin.requests).toEqual([]);
    },
  );

  test.each(['get', 'GeT', 'TRACE', 'GETS'])('%s is no way around it', async (method) => {
    scene.origin.clear();
    using tunnel = await open();
    const answer = await tunnel.request({ method, path: '/v1/public/x' });
    expect([400, 403, 405]).toContain(answer.status);
    expect(scene.origin.requests).toEqual([]);
  });

  test('OPTIONS * has no path that is permitted', async () => {
    scene.origin.clear();
    using tunnel = await open();
    expect(outcomeOf(await tunnel.request({ method: 'OPTIONS', path: '*' }))).toBe(DENIED);
    expect(scene.origin.requests).toEqual([]);
  });

  test('HEAD comes with GET', async () => {
    using tunnel = await open();
    expect((await tunnel.request({ method: 'HEAD', path: '/v1/public/x' })).status).toBe(200);
  });

  test('override headers, in every spelling, do not arrive', async () => {
    scene.origin.clear();
    using tunnel = await open();
    const names = [
      'X-HTTP-Method-Override',
      'x-http-method-override',
      'X_HTTP_Method_Override',
      'X-HTTP-Method',
      'X-Method-Override',
      'X-Original-URL',
      'X_Original_Url',
      'X-Rewrite-URL',
      'X-Original-URI',
      'X-Forwarded-Prefix',
      'X-Forwarded-Uri',
    ];
    const fields = names.flatMap((name) => [name, 'overridden']);
    expect((await tunnel.request({ path: '/v1/public/x', fields })).status).toBe(200);
    expect(scene.origin.last.rawHeaders.join('\n')).not.toContain('overridden');
  });
});

describe('I6 rules by path on one host', () => {
  test.each(['/git/../api/x', '/git/%2e%2e/api/x', '/api/..;/git/x', '/git\\..\\api\\x'])(
    '%s: two readings choose two rules, so none is chosen',
    async (path) => {
      scene.origin.clear();
      using tunnel = await open(RULES);
      const answer = await tunnel.request({ path });
      const sent = scene.origin.requests.flatMap(({ rawHeaders }) => rawHeaders).join('\n');
      expect(sent).not.toContain(value);
      expect(sent).not.toContain(Buffer.from(`x:${value}`).toString('base64'));
      expect(outcomeOf(answer)).toBe(DENIED);
    },
  );
});
