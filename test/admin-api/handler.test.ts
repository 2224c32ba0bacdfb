import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAdminHandler } from '../../admin-api/handler.ts';
import { FIXED } from '../../src/kernel/limits.ts';
import { startAdminFixture, type AdminFixture, type Answer } from './admin-fixture.ts';

let admin: AdminFixture;

beforeAll(async () => {
  admin = await startAdminFixture();
});
afterAll(async () => {
  await admin[Symbol.asyncDispose]();
});

function post(body: RequestInit['body'], headers: Record<string, string> = {}): Promise<Answer> {
  const init = {
    method: 'POST',
    headers: { 'x-api-key': admin.key, ...headers },
    body: body ?? null,
  };
  return admin.send('/secrets', { ...init, ...({ duplex: 'half' } as object) });
}

describe('who may call', () => {
  test.each<[string, Record<string, string>, number]>([
    ['nothing', {}, 401],
    ['an unknown key', { 'x-api-key': 'sp_live_unknown' }, 401],
    ['an unknown bearer', { authorization: 'Bearer sp_live_unknown' }, 401],
    ['Basic', { authorization: 'Basic eDp5' }, 401],
  ])('%s is refused', async (_what, headers, status) => {
    const answer = await admin.send('/secrets', { headers });
    expect(answer.status).toBe(status);
    expect(answer.json.error.code).toBe('auth_failed');
    expect(answer.headers.get('www-authenticate')).toContain('Bearer');
  });

  test('X-API-Key and Bearer are alike', async () => {
    for (const headers of [
      { 'x-api-key': admin.key },
      { authorization: `Bearer ${admin.key}` },
      { authorization: `bearer ${admin.key}` },
    ]) {
      expect((await admin.send('/secrets', { headers })).status).toBe(200);
    }
  });

  test.each(['/healthz', '/readyz', '/ca.pem', '/openapi.json', '/docs'])(
    '%s needs no key',
    async (path) => {
      expect((await admin.send(path, {})).status).toBe(200);
    },
  );

  test('metrics need a key that may read the instance', async () => {
    expect((await admin.call('GET', '/metrics', undefined, null)).status).toBe(401);
    const metrics = await admin.call('GET', '/metrics');
    expect(metrics.text).toContain('sallyport_up 1');
    expect(metrics.headers.get('content-type')).toContain('text/plain');
    const { key } = (await admin.call('POST', '/api-keys', { name: 'v', role: 'viewer' })).json;
    expect((await admin.call('GET', '/metrics', undefined, key)).status).toBe(403);
  });

  test('another organization is forbidden, the own one is fine', async () => {
    const send = (organization: string) =>
      admin.send('/secrets', {
        headers: { 'x-api-key': admin.key, 'x-organization': organization },
      });
    expect((await send('default')).status).toBe(200);
    expect((await send('nobody')).status).toBe(403);
  });
});

test('guessing keys is slowed and then turned away; a valid key from there is not', async () => {
  const guess = (count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, index) =>
        admin.send('/secrets', { headers: { 'x-api-key': `guess-${index}` } }, '198.51.100.7'),
      ),
    );
  await guess(19);
  const slowed = guess(80);
  const headers = { 'x-api-key': admin.key };
  expect((await admin.send('/secrets', { headers }, '198.51.100.7')).status).toBe(200);
  const answers = await slowed;
  const refused = answers.filter((answer) => answer.status === 401);
  const turnedAway = answers.filter((answer) => answer.status === 429);
  expect(refused.length + turnedAway.length).toBe(80);
  expect(turnedAway.length).toBeGreaterThan(0);
  expect(turnedAway[0]?.headers.get('retry-after')).toBe('1');
});

describe('API keys', () => {
  test('are shown once, work at once, and end at once', async () => {
    const created = await admin.call('POST', '/api-keys', { name: 'ci', subject: 'user:ann' });
    expect(created.status).toBe(201);
    const { id, key } = created.json;
    expect(key).toMatch(/^sp_live_[\w-]{43}$/);
    expect((await admin.call('GET', '/secrets', undefined, key)).status).toBe(200);
    const list = await admin.call('GET', '/api-keys');
    expect(list.text).not.toContain(key);
    const row = list.json.find((one: { id: string }) => one.id === id);
    expect(row).toMatchObject({ name: 'ci', role: 'admin', subject: 'user:ann' });
    expect(row.last_used_at).not.toBeNull();
    expect((await admin.call('DELETE', `/api-keys/${id}`)).status).toBe(204);
    expect((await admin.call('GET', '/secrets', undefined, key)).status).toBe(401);
    expect((await admin.call('DELETE', `/api-keys/${id}`)).status).toBe(404);
    expect((await admin.readDatabase()).includes(key)).toBe(false);
  });

  test('the last admin key stays', async () => {
    await using own = await startAdminFixture();
    const { id } = (await own.call('GET', '/api-keys')).json[0];
    expect((await own.call('DELETE', `/api-keys/${id}`)).json.error.code).toBe('conflict');
  });

  test('end with their time', async () => {
    const expires_at = new Date(admin.clock.nowMs() + 60_000).toISOString();
    const { key } = (await admin.call('POST', '/api-keys', { name: 'brief', expires_at })).json;
    expect((await admin.call('GET', '/secrets', undefined, key)).status).toBe(200);
    admin.clock.advance(61_000);
    expect((await admin.call('GET', '/secrets', undefined, key)).status).toBe(401);
  });

  test('an admin makes no root keys', async () => {
    const answer = await admin.call('POST', '/api-keys', { name: 'r', role: 'root' });
    expect(answer.status).toBe(403);
  });

  test.each<[string, string, string, number]>([
    ['viewer', 'GET', '/secrets', 200],
    ['viewer', 'POST', '/sandboxes', 403],
    ['viewer', 'POST', '/secrets', 403],
    ['viewer', 'GET', '/api-keys', 403],
    ['operator', 'POST', '/sandboxes', 201],
    ['operator', 'POST', '/secrets', 403],
  ])('%s: %s %s is %d', async (role, method, path, status) => {
    const { key } = (await admin.call('POST', '/api-keys', { name: role, role })).json;
    const body =
      path === '/sandboxes' ? { name: 'x' } : { name: role, value: 'not-a-real', provider: 'xai' };
    const answer = await admin.call(method, path, method === 'GET' ? undefined : body, key);
    expect(answer.status).toBe(status);
  });

  test('a key narrowed to a secret does not see the others', async () => {
    for (const name of ['mine', 'other']) {
      await admin.call('POST', '/secrets', { name, value: 'not-a-real', provider: 'xai' });
    }
    const { id } = (await admin.call('GET', '/secrets/mine')).json;
    const mistyped = { name: 'narrow', secret_ids: [id, 'mien'] };
    const { status, json } = await admin.call('POST', '/api-keys', mistyped);
    expect([status, json.error.details[0].path]).toEqual([400, 'secret_ids[1]']);
    const narrow = { name: 'narrow', role: 'operator', secret_ids: ['mine'] };
    const { key, secret_ids: ids } = (await admin.call('POST', '/api-keys', narrow)).json;
    expect(ids).toEqual([id]);
    const list = await admin.call('GET', '/secrets', undefined, key);
    expect(list.json.map((row: { name: string }) => row.name)).toEqual(['mine']);
    expect((await admin.call('GET', '/secrets/other', undefined, key)).status).toBe(404);
    const body = { name: 'x', secrets: { K: 'other' } };
    const answer = await admin.call('POST', '/sandboxes', body, key);
    expect(answer.json.error.code).toBe('secret_not_found');
  });
});

describe('bodies', () => {
  test.each<[string, string]>([
    ['no JSON', 'name=a'],
    ['an unfinished object', '{"name":"a"'],
    ['data behind the value', '{"name":"a","value":"b","provider":"xai"} x'],
    ['two values', '{}{}'],
    ['an array', '[]'],
    ['a number', '1'],
    ['nothing', ''],
    ['null', 'null'],
  ])('%s is a bad request', async (_what, text) => {
    const answer = await post(text);
    expect([answer.status, answer.json.error.code]).toEqual([400, 'bad_request']);
  });

  test('bytes that are not UTF-8 are a bad request', async () => {
    expect((await post(Buffer.from([0x22, 0xff, 0x22]))).status).toBe(400);
  });

  test('a compressed body is a bad request', async () => {
    expect((await post('{}', { 'content-encoding': 'gzip' })).status).toBe(400);
  });

  test('more than 1 MiB is too large, announced or not', async () => {
    const big = `{"name":"${'a'.repeat(1024 * 1024)}"}`;
    expect((await post(big)).json.error.code).toBe('payload_too_large');
    let pulled = 0;
    const endless = new ReadableStream({
      pull(controller) {
        pulled += 1;
        controller.enqueue(Buffer.alloc(64 * 1024, 'a'));
      },
    });
    expect((await post(endless)).status).toBe(413);
    expect(pulled).toBeLessThan(40);
  });

  test('details name every field at fault', async () => {
    const answer = await post('{"name":1,"surprise":2,"ports":["x"],"auth":{"type":"bearer"}}');
    const paths = answer.json.error.details.map((fault: { path: string }) => fault.path);
    expect(paths.sort()).toEqual(['name', 'ports[0]', 'surprise', 'value']);
  });

  test('a name like a property of every object is only a name', async () => {
    const { status } = await post('{"name":"__proto__","value":"not-a-real","provider":"xai"}');
    expect(status).toBe(201);
    expect((await post('{"__proto__":{"name":"x"}}')).status).toBe(400);
  });
});

describe('paths and methods', () => {
  test.each([
    ['GET', '/nowhere', 404, null],
    ['GET', '/secrets/', 404, null],
    ['OPTIONS', '/nowhere', 404, null],
    ['OPTIONS', '/secrets', 405, 'POST, GET, HEAD'],
    ['PUT', '/secrets', 405, 'POST, GET, HEAD'],
    ['DELETE', '/secrets', 405, 'POST, GET, HEAD'],
    ['POST', '/secrets/a/audit', 405, 'GET, HEAD'],
    ['GET', '/explain', 405, 'POST'],
  ])('%s %s is %d', async (method, path, status, allow) => {
    const answer = await admin.send(path, { method, headers: { 'x-api-key': admin.key } });
    expect(answer.status).toBe(status);
    expect(answer.json.error.code).toBe(status === 405 ? 'method_not_allowed' : 'not_found');
    expect(answer.headers.get('allow')).toBe(allow);
  });

  test('a façade words a wrong method its own way', async () => {
    const path = '/api/svc/v1/secret-groups';
    const { status, json } = await admin.send(path, { method: 'DELETE' });
    expect([status, json.statusCode, json.code]).toEqual([405, 405, 'method_not_allowed']);
  });

  test.each(['/secrets', '/secrets/none', '/healthz', '/audit?format=csv', '/events', '/nowhere'])(
    'HEAD %s has the head of GET and no body',
    async (path) => {
      const headers = { 'x-api-key': admin.key };
      const head = await admin.send(path, { method: 'HEAD', headers });
      const peer = { address: '' };
      const get = await admin.handler(new Request(`http://admin.test${path}`, { headers }), peer);
      await get.body?.cancel();
      expect([head.status, head.text]).toEqual([get.status, '']);
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
    },
  );

  test('HEAD of a stream without end leaves no stream behind (I7)', async () => {
    const headers = { 'x-api-key': admin.key };
    const places = FIXED.watchersPerKeyMax + 5;
    for (let count = 0; count < places; count += 1) {
      expect((await admin.send('/events', { method: 'HEAD', headers })).status).toBe(200);
    }
  });

  test('HEAD without a key is 401 as GET is', async () => {
    expect((await admin.send('/secrets', { method: 'HEAD' })).status).toBe(401);
  });

  test('no answer allows another origin to read it', async () => {
    const headers = { 'x-api-key': admin.key, origin: 'https://evil.example' };
    const answer = await admin.send('/secrets', { headers });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });
});

test('what nobody foresaw says nothing outside and everything in the log', async () => {
  const canary = 'canary-in-an-exception';
  const handler = createAdminHandler({
    ...admin.deps,
    ca: () => {
      throw new Error(canary);
    },
  });
  const response = await handler(new Request('http://admin.test/ca.pem'), { address: '' });
  const text = await response.text();
  expect(response.status).toBe(500);
  expect(text).not.toContain(canary);
  const { error } = JSON.parse(text) as { error: { code: string; request_id: string } };
  expect(error.code).toBe('internal_error');
  expect(error.request_id).toBe(response.headers.get('x-request-id'));
  const line = admin.logged.find((one) => one.includes(error.request_id));
  expect(line).toContain(canary);
});

test('not ready is 503', async () => {
  const handler = createAdminHandler({
    ...admin.deps,
    ready: () => Promise.reject(new Error('the store is away')),
  });
  const response = await handler(new Request('http://admin.test/readyz'), { address: '' });
  expect(response.status).toBe(503);
});

test('every route is in the OpenAPI document', async () => {
  const { json } = await admin.call('GET', '/openapi.json', undefined, null);
  expect(json.openapi).toBe('3.1.0');
  const calls = Object.entries(json.paths as Record<string, object>).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(calls).toEqual(
    expect.arrayContaining([
      'POST /secrets',
      'GET /secrets',
      'GET /secrets/{name}',
      'PATCH /secrets/{name}',
      'DELETE /secrets/{name}',
      'GET /secrets/{name}/audit',
      'GET /secrets/{name}/sandboxes',
      'GET /providers',
      'POST /sandboxes',
      'GET /sandboxes',
      'GET /sandboxes/{id}',
      'PATCH /sandboxes/{id}',
      'DELETE /sandboxes/{id}',
      'POST /sandboxes/{id}/activate',
      'POST /sandboxes/{id}/resume',
      'POST /sandboxes/{id}/pause',
      'POST /sandboxes/{id}/secrets',
      'DELETE /sandboxes/{id}/secrets/{env_key}',
      'GET /sandboxes/{id}/network',
      'POST /sandboxes/{id}/token',
      'GET /sandboxes/{id}/env',
      'POST /sandboxes/{id}/disconnect',
      'POST /explain',
      'GET /ca.pem',
      'GET /metrics',
    ]),
  );
  const refs = [...JSON.stringify(json).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
  expect(refs.length).toBeGreaterThan(10);
  for (const [, name] of refs) expect(json.components.schemas).toHaveProperty(name ?? '');
});

test('the page to read loads nothing from elsewhere', async () => {
  const { text, headers } = await admin.send('/docs', {});
  expect(text).toContain('POST /secrets');
  expect(text).not.toMatch(/https?:\/\//);
  expect(headers.get('content-security-policy')).toContain("default-src 'none'");
});
