import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditRowSchema, networkRowSchema } from '../../admin-api/contract/audit.ts';
import type { AuditEvent, ConnectionEvent, ExchangeEvent } from '../../src/audit/event.ts';
import { startAdminFixture, type AdminFixture } from './admin-fixture.ts';

let admin: AdminFixture;
let sandboxId: string;
let secretId: string;
let base: Omit<ExchangeEvent, 'kind' | 'status' | 'upstreamStatus' | 'tsMs'>;
const START_MS = Date.UTC(2026, 0, 1);

function exchange(tsMs: number, status: number, extra: Partial<ExchangeEvent> = {}): ExchangeEvent {
  return { ...base, kind: 'exchange', tsMs, status, upstreamStatus: status, ...extra };
}

function connection(tsMs: number, extra: Partial<ConnectionEvent> = {}): ConnectionEvent {
  return {
    kind: 'connection',
    tsMs,
    organizationId: base.organizationId,
    sandboxId,
    requestId: 'r',
    host: 'x.example.com',
    port: 443,
    decision: 'tunnel',
    code: null,
    detail: null,
    wouldRefuse: null,
    bytesIn: 10,
    bytesOut: 20,
    latencyMs: 1.6,
    dstIp: '192.0.2.7',
    verdict: 'allowed',
    matchRule: 'default: allow',
    secrets: [],
    ...extra,
  };
}

beforeAll(async () => {
  admin = await startAdminFixture();
  const body = { name: 'key', provider: 'openai', value: 'not-a-real-value' };
  secretId = (await admin.call('POST', '/secrets', body)).json.id;
  sandboxId = (await admin.call('POST', '/sandboxes', { name: 'box' })).json.id;
  const organization = await admin.store.organizations.readOrganization('default');
  base = {
    organizationId: organization?.id ?? '',
    sandboxId,
    requestId: 'req-1',
    host: 'api.openai.com',
    port: 443,
    decision: 'intercept',
    code: null,
    detail: null,
    wouldRefuse: null,
    bytesIn: 1,
    bytesOut: 2,
    latencyMs: 12.4,
    secrets: [{ secretId, version: 1 }],
    method: 'POST',
    scheme: 'https',
    path: '/v1/responses',
    httpVersion: '1.1',
    upstreamHttpVersion: '1.1',
  };
  const events: AuditEvent[] = [
    connection(START_MS),
    exchange(START_MS + 1, 200),
    exchange(START_MS + 2, 404),
    exchange(START_MS + 3, 503, { upstreamStatus: null, code: 'credential_disabled' }),
    exchange(START_MS + 3, 204, { secrets: [] }),
    connection(START_MS + 4, {
      verdict: 'blocked',
      decision: 'deny',
      code: 'internal_address_denied',
      detail: '10.0.0.1',
      dstIp: null,
      matchRule: null,
      secrets: [{ secretId, version: 1 }],
    }),
  ];
  await admin.store.audit.appendEvents(events);
});
afterAll(async () => {
  await admin[Symbol.asyncDispose]();
});

describe('GET /secrets/{name}/audit', () => {
  test('rows of the contract, newest first', async () => {
    const { json } = await admin.call('GET', '/secrets/key/audit');
    for (const row of json) expect(auditRowSchema.safeParse(row).error).toBeUndefined();
    expect(json.map((row: { status: number }) => row.status)).toEqual([403, 503, 404, 200]);
    expect(json[3]).toEqual({
      id: expect.any(Number),
      ts: '2026-01-01T00:00:00.001Z',
      sandbox_id: sandboxId,
      sandbox_name: 'box',
      secret_id: secretId,
      method: 'POST',
      host: 'api.openai.com',
      path: '/v1/responses',
      status: 200,
      upstream_status: 200,
      latency_ms: 12,
      version: 1,
      port: 443,
      request_id: 'req-1',
    });
    expect(json[1]).toMatchObject({ error_code: 'credential_disabled' });
    expect(json[1]).not.toHaveProperty('upstream_status');
    expect(json[0]).toMatchObject({ method: 'CONNECT', detail: '10.0.0.1' });
  });

  test('filters by status and goes on before an id', async () => {
    const statuses = async (query: string): Promise<number[]> => {
      const { json } = await admin.call('GET', `/secrets/key/audit?${query}`);
      return json.map((row: { status: number }) => row.status);
    };
    expect(await statuses('status=2xx')).toEqual([200]);
    expect(await statuses('status=5xx')).toEqual([503]);
    expect(await statuses('limit=2')).toEqual([403, 503]);
    const { json } = await admin.call('GET', '/secrets/key/audit?limit=2');
    expect(await statuses(`before=${json[1].id}`)).toEqual([404, 200]);
    expect(await statuses('before=1000000000')).toEqual(await statuses('limit=1000'));
  });

  test.each(['limit=0', 'limit=1001', 'before=x', 'status=6xx', 'offset=1'])(
    'refuses ?%s',
    async (query) => {
      expect((await admin.call('GET', `/secrets/key/audit?${query}`)).status).toBe(400);
    },
  );
});

describe('GET /sandboxes/{id}/network', () => {
  const path = (query = '') => `/sandboxes/${sandboxId}/network${query}`;

  test('both kinds of rows, what does not apply is absent', async () => {
    const { json } = await admin.call('GET', path());
    for (const row of json.data) expect(networkRowSchema.safeParse(row).error).toBeUndefined();
    expect(json).toMatchObject({ next_cursor: null, has_more: false });
    expect(json.data).toHaveLength(6);
    expect(json.data[0]).toMatchObject({ kind: 'connection', verdict: 'blocked' });
    expect(json.data[0]).not.toHaveProperty('dst_ip');
    expect(json.data.at(-1)).toMatchObject({
      dst_ip: '192.0.2.7',
      dst_port: 443,
      bytes_sent: 10,
      bytes_recv: 20,
      match_rule: 'default: allow',
    });
    expect(json.data.at(-2)).toMatchObject({ kind: 'request', secret_id: secretId, status: 200 });
  });

  test('pages without gap or repetition, also among rows of one millisecond', async () => {
    const whole = (await admin.call('GET', path())).json.data;
    const seen: unknown[] = [];
    let query = '?limit=1';
    for (;;) {
      const { json } = await admin.call('GET', path(query));
      seen.push(...json.data);
      if (!json.has_more) break;
      query = `?limit=1&before=${encodeURIComponent(json.next_cursor)}`;
    }
    expect(seen).toEqual(whole);
  });

  test('a verdict leaves connections only; times bound both ends', async () => {
    const kinds = async (query: string): Promise<string[]> => {
      const { json } = await admin.call('GET', path(query));
      return json.data.map((row: { kind: string }) => row.kind);
    };
    expect(await kinds('?verdict=allowed')).toEqual(['connection']);
    expect(await kinds('?verdict=failed')).toEqual([]);
    expect(await kinds('?since=2026-01-01T00:00:00.004Z')).toEqual(['connection']);
    expect(await kinds('?before=2026-01-01T00:00:00.001Z')).toEqual(['connection']);
  });

  test.each(['?before=x', '?limit=0', '?verdict=maybe', '?since=yesterday'])(
    'refuses %s',
    async (query) => {
      expect((await admin.call('GET', path(query))).status).toBe(400);
    },
  );
});

test('the sandbox name is null once it was deleted', async () => {
  const { id } = (await admin.call('POST', '/sandboxes', { name: 'brief' })).json;
  await admin.store.audit.appendEvents([exchange(START_MS + 9, 200, { sandboxId: id })]);
  await admin.call('DELETE', `/sandboxes/${id}`);
  const { json } = await admin.call('GET', '/secrets/key/audit?limit=1');
  expect(json[0]).toMatchObject({ sandbox_id: id, sandbox_name: null });
});

describe('POST /explain', () => {
  async function explain(extra: Record<string, unknown>) {
    const body = { sandbox: sandboxId, method: 'GET', url: 'https://api.openai.com/v1', ...extra };
    return admin.call('POST', '/explain', body);
  }

  test('says which secret wins and which headers it sets, never a value', async () => {
    const attach = { env_key: 'KEY', secret_name: 'key' };
    await admin.call('POST', `/sandboxes/${sandboxId}/secrets`, attach);
    const { status, json } = await explain({ headers: { Accept: ['a', 'b'] } });
    expect(status).toBe(200);
    expect(json).toMatchObject({ considered: [{ env_key: 'KEY', outcome: 'won' }] });
    expect(json.sets).toEqual(['authorization']);
  });

  test.each<[string, Record<string, unknown>]>([
    ['another scheme', { url: 'ftp://x.example.com/' }],
    ['user information', { url: 'https://u:p@x.example.com/' }],
    ['a fragment', { url: 'https://x.example.com/#a' }],
    ['a zone', { url: 'https://[fe80::1%25eth0]/' }],
    ['a method that is none', { method: 'GET /' }],
    ['a header with LF', { headers: { a: 'b\nc' } }],
    ['a header name with a space', { headers: { 'a b': 'c' } }],
  ])('refuses %s', async (_what, extra) => {
    expect((await explain(extra)).status).toBe(400);
  });

  test('of a sandbox of nobody is not found', async () => {
    expect((await explain({ sandbox: 'nobody' })).status).toBe(404);
  });
});
