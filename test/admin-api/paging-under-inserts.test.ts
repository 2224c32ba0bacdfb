/**
 * A reader who pages through thousands of rows sees each of them once and in order, whatever is written,
 * and deleted, between two pages.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/audit/event.ts';
import { sampleConnection, sampleExchange } from '../contract/samples.ts';
import { startAdminFixture, type AdminFixture } from './admin-fixture.ts';

const ROWS = 3_000;
const PAGE = 70;
let admin: AdminFixture;
let organizationId: string;

beforeAll(async () => {
  admin = await startAdminFixture();
  organizationId = (await admin.store.organizations.listOrganizations())[0]?.id ?? '';
});
afterAll(async () => {
  await admin[Symbol.asyncDispose]();
});

/** Uses and plain traffic, several to a millisecond. */
function eventAt(index: number, fromMs: number): AuditEvent {
  const ids = { organizationId, sandboxId: 'box' };
  const tsMs = fromMs + Math.floor(index / 3);
  return index % 4 === 0
    ? sampleExchange(ids, { tsMs, path: `/${index}`, secrets: [{ secretId: 's', version: 1 }] })
    : sampleConnection(ids, { tsMs });
}

async function append(count: number, fromMs: number): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    const length = Math.min(500, count - from);
    const events = Array.from({ length }, (_, index) => eventAt(from + index, fromMs));
    await admin.store.audit.appendEvents(events);
  }
}

test('/audit: rows of before are there once and in order, those that came meanwhile not twice', async () => {
  await append(ROWS, 1_000_000);
  const seen: { id: number; ts: string }[] = [];
  let cursor = '';
  for (let page = 0; ; page += 1) {
    const answer = await admin.call('GET', `/audit?limit=${PAGE}${cursor}`);
    expect(answer.status).toBe(200);
    seen.push(...answer.json.data);
    if (!answer.json.has_more) break;
    cursor = `&cursor=${answer.json.next_cursor}`;
    // Newer ones, late ones that are older than the place, and some right at it.
    await append(5, 9_000_000);
    await append(3, 500_000 + page);
    await append(4, Date.parse(seen.at(-1)?.ts ?? '') - 1);
  }
  const ids = seen.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.filter((id) => id <= ROWS).toSorted((one, other) => one - other)).toEqual(
    Array.from({ length: ROWS }, (_, index) => index + 1),
  );
  const places = seen.map(({ ts, id }) => Date.parse(ts) * 1_000_000 + id);
  expect(places).toEqual(places.toSorted((one, other) => other - one));
});

test('/secrets: what was there is there once, however many are made and deleted', async () => {
  const create = async (name: string): Promise<void> => {
    const more = { auth: { type: 'bearer' }, hosts: ['api.example.com'] };
    const body = { name, value: 'not-a-real-value-0006', ...more };
    expect((await admin.call('POST', '/secrets', body)).status).toBe(201);
  };
  const names = Array.from({ length: 60 }, (_, index) => `before_${index}`);
  for (const name of names) await create(name);
  const seen: string[] = [];
  let path = '/secrets?limit=7';
  for (let page = 0; ; page += 1) {
    const answer = await admin.call('GET', path);
    seen.push(...answer.json.map(({ name }: { name: string }) => name));
    const next = /<([^>]+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1];
    if (next === undefined) break;
    path = next;
    await create(`meanwhile_${page}`);
    // The very row that the cursor names.
    const last = seen.at(-1) ?? '';
    expect((await admin.call('DELETE', `/secrets/${last}`)).status).toBe(204);
  }
  expect(seen).toEqual(names.toReversed());
});
