/** `/audit`: every event of an organization, in pages and as streams. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { trailPageSchema } from '../../admin-api/contract/trail.ts';
import type { AuditEvent, ExchangeEvent } from '../../src/audit/event.ts';
import { sampleConnection, sampleExchange } from '../contract/samples.ts';
import { startAdminFixture, type AdminFixture } from './admin-fixture.ts';

const START_MS = Date.UTC(2026, 0, 1);
const VALUE = 'not-a-real-value';
let admin: AdminFixture;
let ids: { organizationId: string; sandboxId: string };
let secretId: string;
let otherSecretId: string;

interface Row {
  readonly id: number;
  readonly ts: string;
  readonly host: string;
}

beforeAll(async () => {
  admin = await startAdminFixture();
  const create = async (name: string): Promise<string> => {
    const body = { name, provider: 'openai', value: VALUE };
    return (await admin.call('POST', '/secrets', body)).json.id;
  };
  secretId = await create('key');
  otherSecretId = await create('other');
  const sandbox = await admin.call('POST', '/sandboxes', { name: 'box' });
  const organization = await admin.store.organizations.readOrganization('default');
  ids = { organizationId: organization?.id ?? '', sandboxId: sandbox.json.id };
  await admin.store.audit.appendEvents([
    exchange(1, { secrets: [{ secretId, version: 1 }] }),
    exchange(2, { status: 404, host: 'b.example.com', path: '=cmd,"x"\n/' }),
    sampleConnection(ids, { tsMs: START_MS + 3, verdict: 'blocked', decision: 'deny' }),
    exchange(4, {
      status: 503,
      code: 'credential_revoked',
      secrets: [secretId, otherSecretId].map((id) => ({ secretId: id, version: 2 })),
    }),
  ]);
});

afterAll(() => admin[Symbol.asyncDispose]());

function exchange(afterMs: number, extra: Partial<ExchangeEvent> = {}): AuditEvent {
  return sampleExchange(ids, { tsMs: START_MS + afterMs, ...extra });
}

function numbersOf(rows: readonly Row[]): number[] {
  return rows.map((row) => Date.parse(row.ts) - START_MS);
}

async function numbers(query: string, key = admin.key): Promise<number[]> {
  const { json } = await admin.call('GET', `/audit${query}`, undefined, key);
  return numbersOf(json.data);
}

describe('GET /audit', () => {
  test('is newest first, under the names of the sink, without a value', async () => {
    const { json, text } = await admin.call('GET', '/audit');
    trailPageSchema.parse(json);
    expect(numbersOf(json.data)).toEqual([4, 3, 2, 1]);
    expect(json.data[3]).toMatchObject({
      kind: 'request',
      sandbox_name: 'box',
      secrets: [{ secret_id: secretId, version: 1 }],
    });
    expect([json.has_more, json.next_cursor]).toEqual([false, null]);
    expect(text).not.toContain(VALUE);
  });

  test.each([
    ['?status=errors', [4, 2]],
    ['?status=404', [2]],
    ['?status=2xx', [1]],
    ['?code=credential_revoked', [4]],
    ['?host=B.example.com', [2]],
    ['?secret=key', [4, 1]],
    ['?secret=key&status=5xx', [4]],
    ['?since=2026-01-01T00:00:00.002Z&until=2026-01-01T00:00:00.004Z', [3, 2]],
    ['?host=nowhere.example.com', []],
    ['?sandbox=nobody', []],
  ])('%s', async (query, expected) => {
    expect(await numbers(query)).toEqual(expected);
  });

  test('by sandbox and by the id of a secret', async () => {
    expect(await numbers(`?sandbox=${ids.sandboxId}`)).toEqual([4, 3, 2, 1]);
    expect(await numbers(`?secret=${otherSecretId}`)).toEqual([4]);
  });

  test('pages end exactly', async () => {
    const first = (await admin.call('GET', '/audit?limit=2')).json;
    expect([numbersOf(first.data), first.has_more]).toEqual([[4, 3], true]);
    const next = `/audit?limit=2&cursor=${first.next_cursor}`;
    const second = (await admin.call('GET', next)).json;
    expect([numbersOf(second.data), second.has_more]).toEqual([[2, 1], false]);
  });

  test.each([
    '?cursor=x',
    '?limit=0',
    '?limit=1001',
    '?status=bad',
    '?format=xml',
    '?format=csv&limit=5',
    '?format=ndjson&cursor=x',
    '?since=yesterday',
    '?unknown=1',
  ])('%s is a bad request', async (query) => {
    const { status, json } = await admin.call('GET', `/audit${query}`);
    expect([status, json.error.code]).toEqual([400, 'bad_request']);
  });

  test('an unknown name of a secret is not found', async () => {
    expect((await admin.call('GET', '/audit?secret=unknown')).status).toBe(404);
  });

  test('a key narrowed to a secret sees its uses, and no other secret', async () => {
    const body = { name: 'narrow', role: 'viewer', secret_ids: [otherSecretId] };
    const { key } = (await admin.call('POST', '/api-keys', body)).json;
    const { json } = await admin.call('GET', '/audit', undefined, key);
    expect(numbersOf(json.data)).toEqual([4]);
    expect(json.data[0].secrets).toEqual([{ secret_id: otherSecretId, version: 2 }]);
    const exported = await admin.call('GET', '/audit?format=ndjson', undefined, key);
    expect(exported.text).not.toContain(secretId);
  });

  test('a key narrowed to an empty workspace sees nothing', async () => {
    await admin.call('POST', '/workspaces', { name: 'w' });
    const body = { name: 'in-w', role: 'viewer', workspaces: ['w'] };
    const { key } = (await admin.call('POST', '/api-keys', body)).json;
    expect(await numbers('', key)).toEqual([]);
  });
});

describe('exports', () => {
  test('ndjson is one event a line, the same as the page', async () => {
    const { headers, text } = await admin.call('GET', '/audit?format=ndjson');
    expect(headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
    const lines: unknown[] = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(lines).toEqual((await admin.call('GET', '/audit')).json.data);
  });

  test('csv quotes, and hands a spreadsheet no formula', async () => {
    const { headers, text } = await admin.call('GET', '/audit?format=csv&status=404');
    expect(headers.get('content-type')).toContain('text/csv');
    expect(headers.get('content-disposition')).toContain('audit.csv');
    const [head = '', row = ''] = text.split('\r\n');
    expect(head.split(',').slice(0, 3)).toEqual(['id', 'ts', 'kind']);
    expect(row).toContain(`"'=cmd,""x""\n/"`);
  });

  test('an empty one has the head alone, or nothing', async () => {
    const none = '&host=nowhere.example.com';
    expect((await admin.call('GET', `/audit?format=ndjson${none}`)).text).toBe('');
    const { text } = await admin.call('GET', `/audit?format=csv${none}`);
    expect(text.trimEnd().split('\r\n')).toHaveLength(1);
  });

  test('thousands of rows come whole, in order, while others are appended', async () => {
    await using big = await startAdminFixture();
    const organization = await big.store.organizations.readOrganization('default');
    const at = { organizationId: organization?.id ?? '', sandboxId: 'gone' };
    for (let batch = 0; batch < 7; batch += 1) {
      await big.store.audit.appendEvents(
        Array.from({ length: 500 }, (_, index) =>
          sampleExchange(at, { tsMs: START_MS + batch * 500 + index }),
        ),
      );
    }
    const request = new Request('http://admin.test/audit?format=ndjson', {
      headers: { 'x-api-key': big.key },
    });
    const response = await big.handler(request, { address: '192.0.2.1' });
    await big.store.audit.appendEvents([sampleExchange(at, { tsMs: START_MS + 9_999 })]);
    const lines = (await response.text()).trimEnd().split('\n');
    const times = lines.map((line) => Date.parse((JSON.parse(line) as Row).ts) - START_MS);
    expect(times).toEqual(Array.from({ length: 3_500 }, (_, index) => 3_499 - index));
  });
});
