/**
 * The wall clock jumps, forward and back, while everything runs: what has a date follows the date, what lasts a
 * time does not. The product is composed in this process; only its reading of the time of day is turned.
 */
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { startDnsServer } from '../egress/dns-server.ts';
import type { DnsServer } from '../egress/dns-server.ts';
import { mintCanary } from '../support/canary.ts';
import { openTunnel, sendConnect } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import { composeScene } from '../support/composed-scene.ts';
import type { ComposedScene } from '../support/composed-scene.ts';
import { eventually } from '../support/eventually.ts';
import { Origin } from '../support/origin.ts';
import { slow } from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';

const HOST = 'api.example.test';
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
let origin: Origin;
let dns: DnsServer;
let scene: ComposedScene;
/** Added to the time of day. */
let shiftMs = 0;

beforeAll(async () => {
  const authority = new TestAuthority();
  origin = await Origin.start({
    leaf: authority.mintLeaf([HOST]),
    handlers: { '/slow': slow(300) },
  });
  dns = await startDnsServer();
  vi.spyOn(systemClock, 'nowMs').mockImplementation(() => Date.now() + shiftMs);
  scene = await composeScene({
    hosts: { [HOST]: origin.address },
    originCa: authority.caPem,
    settings: { 'egress.dns.servers': [dns.address] },
  });
  const auth = { type: 'bearer' };
  await scene.admin.must('POST', '/secrets', {
    name: 'api',
    value: mintCanary(),
    auth,
    hosts: [HOST],
  });
});

afterEach(() => {
  shiftMs = 0;
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  await Promise.all([origin.close(), dns.close()]);
  vi.restoreAllMocks();
});

const planOf = ({ token }: TestSandbox, authority = `${HOST}:443`) => ({
  proxy: scene.proxy,
  authority,
  token,
});

const open = (sandbox: TestSandbox): Promise<HttpConnection> =>
  openTunnel({ ...planOf(sandbox), ca: scene.caPem });

async function connectStatus(sandbox: TestSandbox): Promise<number> {
  using answer = await sendConnect(planOf(sandbox));
  return answer.response.status;
}

/** What a client sees of the leaf; its own clock is not turned, so it does not verify. */
async function leafDates(sandbox: TestSandbox): Promise<{ fromMs: number; toMs: number }> {
  using answer = await sendConnect(planOf(sandbox));
  const { socket } = answer.connection;
  socket.removeAllListeners('data');
  return await new Promise((resolve, reject) => {
    const secure = tls.connect({ socket, servername: HOST, rejectUnauthorized: false }, () => {
      const { valid_from: from, valid_to: to } = secure.getPeerCertificate();
      secure.destroy();
      resolve({ fromMs: Date.parse(from), toMs: Date.parse(to) });
    });
    secure.on('error', reject);
  });
}

interface Row {
  readonly path?: string;
  readonly latency_ms: number;
}

async function rowsOf({ id }: TestSandbox): Promise<readonly Row[]> {
  await scene.core.trail.flush();
  return ((await scene.admin.must('GET', `/sandboxes/${id}/network`)) as { data: Row[] }).data;
}

describe('forward', () => {
  test('what has a date is over: inside open tunnels and out; set back, it is not', async () => {
    const expires = new Date(Date.now() + HOUR).toISOString();
    const sandbox = await scene.createSandbox({ KEY: 'api' }, { expires_at: expires });
    using tunnel = await open(sandbox);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
    shiftMs = 2 * HOUR;
    await expect(tunnel.reader.waitForEnd(3_000)).resolves.toBeUndefined();
    expect(await connectStatus(sandbox)).toBe(407);
    shiftMs = 0;
    expect(await connectStatus(sandbox)).toBe(200);
  });

  test('a leaf is minted that is valid then', async () => {
    const sandbox = await scene.createSandbox({ KEY: 'api' });
    await leafDates(sandbox);
    shiftMs = 30 * DAY;
    const { fromMs, toMs } = await leafDates(sandbox);
    expect([fromMs <= systemClock.nowMs(), toMs > systemClock.nowMs()]).toEqual([true, true]);
  });

  test('a minute of a sandbox lasts a minute', async () => {
    const sandbox = await scene.createSandbox({ KEY: 'api' });
    const limits = { requests_per_minute: 2 };
    await scene.admin.must('PATCH', `/sandboxes/${sandbox.id}`, { limits });
    using tunnel = await open(sandbox);
    const statuses: number[] = [];
    for (shiftMs = 0; shiftMs < 3 * HOUR; shiftMs += HOUR) {
      statuses.push((await tunnel.request({ path: '/' })).status);
    }
    expect(statuses).toEqual([200, 200, 429]);
  });
});

describe('back', () => {
  test('a leaf from the future is replaced by one that is valid now', async () => {
    const sandbox = await scene.createSandbox({ KEY: 'api' });
    shiftMs = 5 * DAY;
    await leafDates(sandbox);
    shiftMs = 0;
    const { fromMs, toMs } = await leafDates(sandbox);
    expect([fromMs <= Date.now(), toMs > Date.now()]).toEqual([true, true]);
    using tunnel = await open(sandbox);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
  });

  test('I4 in the middle of an exchange: its event says how long it took', async () => {
    const sandbox = await scene.createSandbox({ KEY: 'api' });
    using tunnel = await open(sandbox);
    const answer = tunnel.request({ path: '/slow' });
    await origin.waitForRequests(origin.requests.length + 1);
    shiftMs = -DAY;
    expect((await answer).status).toBe(200);
    const [row] = await rowsOf(sandbox);
    expect(row?.path).toBe('/slow');
    expect(row?.latency_ms).toBeGreaterThanOrEqual(250);
    expect(row?.latency_ms).toBeLessThan(HOUR);
  });

  test('the last use does not become an earlier one', async () => {
    const sandbox = await scene.createSandbox({ KEY: 'api' });
    const lastUse = async (): Promise<number> => {
      const { last_used_at: at } = (await scene.admin.must('GET', '/secrets/api')) as {
        readonly last_used_at: string;
      };
      return Date.parse(at);
    };
    using tunnel = await open(sandbox);
    shiftMs = HOUR;
    await tunnel.request({ path: '/' });
    const then = await lastUse();
    expect(then).toBeGreaterThan(Date.now() + HOUR / 2);
    shiftMs = 0;
    await tunnel.request({ path: '/' });
    await eventually(async () => expect(await lastUse()).toBe(then));
  });
});

test('I5 either way a name is kept as long as its answer says, and no longer', async () => {
  const sandbox = await scene.createSandbox({});
  dns.zone.set('jump.example.test', { a: ['127.0.0.1'], ttlS: 60 });
  const authority = `jump.example.test:${origin.port}`;
  for (const shift of [0, DAY, -DAY]) {
    shiftMs = shift;
    using answer = await sendConnect(planOf(sandbox, authority));
    expect(answer.response.status).toBe(200);
  }
  expect(dns.asked.filter((question) => question.startsWith('jump.'))).toHaveLength(2);
});
