/**
 * Placeholders where they do not belong: the wrong host, the wrong port, another sandbox's, two in one
 * field, of secrets that were taken away. A placeholder of this sandbox never travels to a host we look
 * into unless its secret does; anyone else's is ordinary text.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization } from '../support/client.ts';
import { Origin, valuesOf } from '../support/origin.ts';
import type { TestSandbox } from '../support/product.ts';
import { outcomeOf } from '../support/refusal.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const OTHER = 'other.example.test';
const FREE = 'free.example.test';
const PLAIN = 'plain.example.test';
const value = mintCanary();
const otherValue = mintCanary();
let scene: Scene;
let plain: Origin;
let sandbox: TestSandbox;
let mine = '';
let others = '';

beforeAll(async () => {
  plain = await Origin.start();
  scene = await startScene({
    names: [HOST, OTHER, FREE],
    hosts: { [PLAIN]: plain.address },
  });
  const auth = { type: 'bearer' };
  await scene.product.createSecret('api', value, { auth, hosts: [HOST, PLAIN] });
  await scene.product.createSecret('other', otherValue, { auth, hosts: [OTHER] });
  sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api', OTHER: 'other' } });
  mine = sandbox.placeholders['KEY'] ?? '';
  others = sandbox.placeholders['OTHER'] ?? '';
});

afterAll(async () => {
  await scene.product.assertNoLeak([value, otherValue]);
  await scene[Symbol.asyncDispose]();
  await plain.close();
});

interface Sent {
  readonly path?: string;
  readonly fields?: readonly string[];
  readonly from?: TestSandbox;
}

/** Outcome of one request in a fresh tunnel; a refusal must not have reached the origin. */
async function ask(authority: string, { path = '/', fields = [], from = sandbox }: Sent) {
  const { product, origin, authority: ca } = scene;
  origin.clear();
  const dialled = origin.connectionCount;
  using tunnel = await product.openTunnel(from, authority, ca.caPem);
  const host = authority.replace(/:443$/, '');
  const answer = await tunnel.request({ path, fields: ['Host', host, ...fields] });
  const outcome = outcomeOf(answer);
  const isDialled = origin.requests.length > 0 || origin.connectionCount !== dialled;
  return outcome !== '200' && isDialled ? `${outcome}, but the origin was dialled` : outcome;
}

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

describe('on a wrong host that is intercepted', () => {
  const places: readonly (readonly [string, (placeholder: string) => Sent])[] = [
    ['Authorization', (text) => ({ fields: ['Authorization', `Bearer ${text}`] })],
    ['any other header', (text) => ({ fields: ['X-Whatever', text] })],
    ['amid a header', (text) => ({ fields: ['X-Whatever', `a=1; b=${text}; c=2`] })],
    ['a cookie', (text) => ({ fields: ['Cookie', `session=${text}`] })],
    ['the password of Basic', (text) => ({ fields: ['Authorization', basic('u', text)] })],
    ['the user name of Basic', (text) => ({ fields: ['Authorization', basic(text, 'p')] })],
    [
      'Basic in lower case',
      (text) => ({ fields: ['authorization', basic('u', text).replace('Basic', 'basic')] }),
    ],
    ['Basic in another field', (text) => ({ fields: ['X-Auth', basic('u', text)] })],
    ['the query', (text) => ({ path: `/?key=${text}` })],
    ['a query key', (text) => ({ path: `/?${text}=1` })],
    ['the query after a semicolon', (text) => ({ path: `/?a=1;key=${text}` })],
    [
      'the query, percent-encoded',
      (text) => ({ path: `/?key=%${text.charCodeAt(0).toString(16)}${text.slice(1)}` }),
    ],
    ['the second of two equal headers', (text) => ({ fields: ['X-A', 'x', 'X-A', text] })],
    ['a field Connection drops', (text) => ({ fields: ['Connection', 'X-Hop', 'X-Hop', text] })],
  ];
  test.each(places)('I2 in %s: refused', async (_where, sent) => {
    expect(await ask(`${OTHER}:443`, sent(mine))).toBe('403 credential_host_mismatch');
  });

  test('I2 the refusal does not help to find the right host', async () => {
    using tunnel = await scene.product.openTunnel(sandbox, `${OTHER}:443`);
    const answer = await tunnel.request({ path: '/', fields: ['X-Key', mine] });
    expect(answer.text()).not.toContain(value);
    expect(answer.text()).not.toContain(mine);
  });

  test('I2 a bound host on a wrong port is looked into as well', async () => {
    const sent = { fields: ['Authorization', `Bearer ${mine}`] };
    expect(await ask(`${HOST}:8443`, sent)).toBe('403 credential_host_mismatch');
    expect(await ask(`${HOST}:8443`, {})).toBe('200');
    expect(scene.origin.last.rawHeaders.join()).not.toContain(value);
  });

  test('in a body it passes: bodies are not looked into and get nothing', async () => {
    scene.origin.clear();
    using tunnel = await scene.product.openTunnel(sandbox, `${OTHER}:443`);
    const answer = await tunnel.request({ method: 'POST', path: '/', body: `key=${mine}` });
    expect(answer.status).toBe(200);
    expect(scene.origin.last.body.toString()).toBe(`key=${mine}`);
  });

  test('on a host that is only tunnelled it passes unseen, and is worth nothing', async () => {
    expect(await ask(`${FREE}:443`, { fields: ['X-Key', mine] })).toBe('200');
    expect(valuesOf(scene.origin.last.rawHeaders, 'x-key')).toEqual([mine]);
  });
});

describe("someone else's placeholder", () => {
  test('I2 is ordinary text: what was bound here goes out, the other secret never', async () => {
    const stranger = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
    const stolen = stranger.placeholders['KEY'] ?? '';
    const fields = ['X-Key', stolen, 'Authorization', `Bearer ${stolen}`];
    expect(await ask(`${OTHER}:443`, { fields })).toBe('200');
    const { rawHeaders } = scene.origin.last;
    expect(valuesOf(rawHeaders, 'x-key')).toEqual([stolen]);
    expect(valuesOf(rawHeaders, 'authorization')).toEqual([`Bearer ${otherValue}`]);
  });

  test('I2 with no binding at all it opens nothing', async () => {
    const bare = await scene.product.createSandbox();
    const sent = { from: bare, fields: ['Authorization', `Bearer ${mine}`] };
    expect(await ask(`${HOST}:443`, sent)).toBe('200');
    const arrived = valuesOf(scene.origin.last.rawHeaders, 'authorization');
    expect(arrived).toEqual([`Bearer ${mine}`]);
  });
});

describe('several placeholders', () => {
  test.each<readonly [string, (one: string, two: string) => Sent]>([
    ['one field', (one, two) => ({ fields: ['X-Keys', `${one} ${two}`] })],
    ['one Basic', (one, two) => ({ fields: ['Authorization', basic(one, two)] })],
    ['one query pair', (one, two) => ({ path: `/?k=${one}${two}` })],
  ])('I6 of different secrets in %s: refused as ambiguous', async (_where, sent) => {
    expect(await ask(`${HOST}:443`, sent(mine, others))).toBe('400 bad_request');
  });

  test('I2 the right one does not let the wrong one through', async () => {
    const fields = ['Authorization', `Bearer ${mine}`, 'X-Other', others];
    expect(await ask(`${HOST}:443`, { fields })).toBe('403 credential_host_mismatch');
  });

  test('I6 the same one in three fields: one credential arrives, no placeholder does', async () => {
    const fields = ['Authorization', `Bearer ${mine}`, 'X-A', mine, 'X-B', `v=${mine}`];
    expect(await ask(`${HOST}:443`, { fields, path: `/?k=${mine}` })).toBe('200');
    const { rawHeaders, url } = scene.origin.last;
    expect(valuesOf(rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
    expect([url, ...rawHeaders].join()).not.toContain(mine);
  });
});

describe('I2 http://', () => {
  test.each([
    ['in a header', { fields: ['Authorization', 'Bearer PLACEHOLDER'] }],
    ['in the query', { path: '/?k=PLACEHOLDER' }],
  ])('a placeholder %s is refused', async (_where, sent: Sent) => {
    const path = `http://${PLAIN}${(sent.path ?? '/').replace('PLACEHOLDER', mine)}`;
    const own = (sent.fields ?? []).map((text) => text.replace('PLACEHOLDER', mine));
    using connection = await dialProxy(scene.product.proxy);
    const credentials = ['Proxy-Authorization', proxyAuthorization(sandbox.token)];
    const answer = await connection.request({
      path,
      fields: ['Host', PLAIN, ...credentials, ...own],
    });
    expect(outcomeOf(answer)).toBe('403 plaintext_refused');
    expect(plain.requests).toEqual([]);
  });

  test('without a placeholder the request goes bare', async () => {
    using connection = await dialProxy(scene.product.proxy);
    const credentials = ['Proxy-Authorization', proxyAuthorization(sandbox.token)];
    const fields = ['Host', PLAIN, ...credentials];
    expect((await connection.request({ path: `http://${PLAIN}/`, fields })).status).toBe(200);
    expect(plain.last.rawHeaders.join()).not.toContain(value);
  });
});

describe('what was taken away', () => {
  async function bindOnce(): Promise<{ name: string; from: TestSandbox; placeholder: string }> {
    const name = `gone_${Math.random().toString(36).slice(2)}`;
    const more = { auth: { type: 'bearer' }, hosts: [HOST] };
    await scene.product.createSecret(name, mintCanary(), more);
    const from = await scene.product.createSandbox({ secrets: { KEY: name } });
    return { name, from, placeholder: from.placeholders['KEY'] ?? '' };
  }

  test('I2 a detached binding: its placeholder is refused, in a new tunnel too', async () => {
    const { from, placeholder } = await bindOnce();
    await scene.product.admin.must('DELETE', `/sandboxes/${from.id}/secrets/KEY`);
    const fields = ['X-Key', placeholder];
    expect(await ask(`${HOST}:443`, { from, fields })).toBe('503 credential_revoked');
    expect(await ask(`${HOST}:443`, { from, fields: ['Authorization', 'own'] })).toBe(
      '503 credential_revoked',
    );
    expect(await ask(`${HOST}:443`, { from })).toBe('200');
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([]);
  });

  test('I2 a deleted secret: refused with and without placeholder', async () => {
    const { name, from, placeholder } = await bindOnce();
    await scene.product.admin.must('DELETE', `/secrets/${name}`);
    const fields = ['X-Key', placeholder];
    expect(await ask(`${HOST}:443`, { from, fields })).toBe('503 credential_revoked');
    expect(await ask(`${HOST}:443`, { from })).toBe('503 credential_revoked');
  });

  test('I2 a secret made anew under the name of a deleted one is not bound by it', async () => {
    const { name, from, placeholder } = await bindOnce();
    await scene.product.admin.must('DELETE', `/secrets/${name}`);
    const heir = mintCanary();
    const more = { auth: { type: 'bearer' }, hosts: [HOST] };
    await scene.product.createSecret(name, heir, more);
    const fields = ['X-Key', placeholder];
    expect(await ask(`${HOST}:443`, { from, fields })).toBe('503 credential_revoked');
    await scene.product.assertNoLeak(heir);
  });

  test('I2 a binding made anew has a placeholder of its own: the old one stays dead', async () => {
    const { name, from, placeholder } = await bindOnce();
    const path = `/sandboxes/${from.id}/secrets`;
    await scene.product.admin.must('DELETE', `${path}/KEY`);
    const again = (await scene.product.admin.must('POST', path, {
      env_key: 'KEY',
      secret_name: name,
    })) as { placeholder: string };
    expect(again.placeholder).not.toBe(placeholder);
    const old = { from, fields: ['X-Key', placeholder] };
    expect(await ask(`${HOST}:443`, old)).toBe('503 credential_revoked');
    expect(await ask(`${HOST}:443`, { from, fields: ['X-Key', again.placeholder] })).toBe('200');
  });
});
