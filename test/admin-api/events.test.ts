/** `/events`: the trail as it grows. */
import { request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { startAdmin } from '../../admin-api/start.ts';
import { FIXED, DEFAULT_LIMITS } from '../../src/kernel/limits.ts';
import { sampleExchange } from '../contract/samples.ts';
import { eventually } from '../support/eventually.ts';
import { startAdminFixture, type AdminFixture, type FixtureOptions } from './admin-fixture.ts';

interface Watching {
  readonly status: number;
  readonly type: string | null;
  /** What came so far. */
  readonly text: () => string;
  readonly ended: () => boolean;
  close(): Promise<void>;
}

async function watch(
  admin: AdminFixture,
  headers: Record<string, string> = {},
  query = '',
): Promise<Watching> {
  const asked = new Request(`http://admin.test/events${query}`, {
    headers: { 'x-api-key': admin.key, ...headers },
  });
  const response = await admin.handler(asked, { address: '192.0.2.1' });
  if (response.body === null) throw new Error('there is no body');
  const reader = response.body.getReader();
  let text = '';
  let isEnded = false;
  const read = async (): Promise<void> => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += Buffer.from(value).toString();
    }
    isEnded = true;
  };
  void read();
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    text: () => text,
    ended: () => isEnded,
    close: () => reader.cancel(),
  };
}

function pathsIn(text: string): string[] {
  return Array.from(text.matchAll(/^data: (.*)$/gm), ([, json = '']) => {
    return (JSON.parse(json) as { path: string }).path;
  });
}

async function begin(options: FixtureOptions = {}) {
  const admin = await startAdminFixture(options);
  onTestFinished(() => admin[Symbol.asyncDispose]());
  const organization = await admin.store.organizations.readOrganization('default');
  const ids = { organizationId: organization?.id ?? '', sandboxId: 'box' };
  const record = (path: string, organizationId = ids.organizationId): void =>
    admin.trail.record(sampleExchange({ ...ids, organizationId }, { path }));
  return { admin, record };
}

test('begins now, sends each event of the organization once with its id, in order', async () => {
  const { admin, record } = await begin();
  record('/before');
  await admin.trail.flush();
  const watching = await watch(admin);
  expect([watching.status, watching.type]).toEqual([200, 'text/event-stream; charset=utf-8']);
  record('/one');
  record('/foreign', 'other');
  record('/two');
  await eventually(() => expect(pathsIn(watching.text())).toEqual(['/one', '/two']));
  record('/three');
  await eventually(() => expect(pathsIn(watching.text())).toEqual(['/one', '/two', '/three']));
  expect(watching.text()).toMatch(/^retry: 2000\n/);
  expect(watching.text()).toMatch(/^id: \d+\nevent: audit\ndata: \{/m);
});

test('goes on after Last-Event-ID, in the header or as ?after', async () => {
  const { admin, record } = await begin();
  const first = await watch(admin);
  record('/one');
  record('/two');
  await eventually(() => expect(pathsIn(first.text())).toHaveLength(2));
  const ids = Array.from(first.text().matchAll(/^id: (\d+)\nevent/gm), ([, id = '']) => id);
  await first.close();
  record('/three');
  const second = await watch(admin, { 'last-event-id': ids[0] ?? '' });
  await eventually(() => expect(pathsIn(second.text())).toEqual(['/two', '/three']));
  const third = await watch(admin, {}, '?after=0');
  await eventually(() => expect(pathsIn(third.text())).toEqual(['/one', '/two', '/three']));
  const future = await watch(admin, { 'last-event-id': '999999999' });
  record('/four');
  await eventually(() => expect(pathsIn(future.text())).toEqual(['/four']));
});

test('a quiet stream is kept alive', async () => {
  const { admin } = await begin({ heartbeatMs: 20 });
  const watching = await watch(admin);
  await eventually(() => expect(watching.text().split(': here').length).toBeGreaterThan(3));
});

test('ends when its key is deleted', async () => {
  const { admin, record } = await begin({ heartbeatMs: 20 });
  const made = await admin.call('POST', '/api-keys', { name: 'watcher', role: 'viewer' });
  const watching = await watch(admin, { 'x-api-key': made.json.key });
  await admin.call('DELETE', `/api-keys/${made.json.id}`);
  admin.clock.advance(60_000);
  await eventually(() => expect(watching.ended()).toBe(true));
  record('/after');
  await admin.trail.flush();
  expect(pathsIn(watching.text())).toEqual([]);
});

test('watchers are bounded, and a place is free again when one leaves (I7)', async () => {
  const { admin } = await begin();
  const all = [];
  for (let count = 0; count < FIXED.watchersPerKeyMax; count += 1) all.push(await watch(admin));
  const refused = await watch(admin);
  expect(refused.status).toBe(429);
  await all[0]?.close();
  await eventually(async () => {
    const again = await watch(admin);
    expect(again.status).toBe(200);
  });
});

test('a client that goes away over a real connection leaves nothing behind', async () => {
  const { admin } = await begin();
  const listener = await startAdmin({
    handler: admin.handler,
    listen: { host: '127.0.0.1', port: 0 },
    logger: admin.deps.logger,
    limits: DEFAULT_LIMITS,
  });
  onTestFinished(() => listener.close());
  const asked = request(`http://${listener.address}/events`, {
    headers: { 'x-api-key': admin.key },
  });
  asked.on('error', () => undefined);
  const opened = Promise.withResolvers<void>();
  asked.on('response', (response) => response.once('data', () => opened.resolve()));
  asked.end();
  await opened.promise;
  expect(admin.deps.liveFeed.watchers).toBe(1);
  asked.destroy();
  await eventually(() => expect(admin.deps.liveFeed.watchers).toBe(0));
});

test('an id that is none is a bad request; without a key there is nothing', async () => {
  const { admin } = await begin();
  expect((await watch(admin, { 'last-event-id': 'x' })).status).toBe(400);
  expect((await admin.call('GET', '/events?after=-1')).status).toBe(400);
  expect((await admin.call('GET', '/events', undefined, null)).status).toBe(401);
});
