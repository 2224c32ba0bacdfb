/**
 * Ten thousand clients that begin a head and never end it, outside and (as many as their sandboxes may have)
 * inside tunnels, in HTTP/1.1 and HTTP/2. What each costs is bounded, each is ended in time, and meanwhile
 * another client is served as if they were not there (I7).
 */
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import net from 'node:net';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import type { HttpConnection } from '../support/client.ts';
import { openTunnel } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import {
  encodeFields,
  encodeFrame,
  encodeSettings,
  FrameType,
  PREFACE,
} from '../support/http2-frames.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const HEAD_MS = 8_000;
/** Both ends are on this machine, each in one process. */
const DESCRIPTORS_MAX = Number(
  /^Max open files +\d+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 20_000,
);
const OUTSIDE = Math.min(10_000, DESCRIPTORS_MAX - 2_000);
const INSIDE = 1_200;
const SANDBOXES = 4;
/** Of one that is connected and has sent half a head; TLS and HTTP/2 keep more. */
const OUTSIDE_BYTES_MAX = 24 * 1_024;
const INSIDE_BYTES_MAX = 160 * 1_024;
const value = mintCanary();
let scene: Scene;
let innocent: TestSandbox;

beforeAll(async () => {
  const limits = { head_timeout_ms: HEAD_MS };
  scene = await startScene({ names: [HOST], settings: { limits } });
  const auth = { type: 'bearer' };
  await scene.product.createSecret('api', value, { auth, hosts: [HOST] });
  innocent = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await scene.product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
});

function residentBytes(): number {
  const status = readFileSync(`/proc/${scene.product.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1_024;
}

const countDescriptors = (): number => readdirSync(`/proc/${scene.product.pid}/fd`).length;

/** New tunnels and one that is open, one request each. */
async function expectServes(times: number): Promise<void> {
  using open = await scene.product.openTunnel(innocent, `${HOST}:443`);
  for (let i = 0; i < times; i += 1) {
    using fresh = await scene.product.openTunnel(innocent, `${HOST}:443`);
    const answers = [await fresh.request({ path: '/' }), await open.request({ path: '/' })];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  }
}

/** In batches: the queue of a listener is short. */
async function inBatches<T>(count: number, size: number, make: (i: number) => Promise<T>) {
  const made: T[] = [];
  for (let at = 0; at < count; at += size) {
    const batch = Array.from({ length: Math.min(size, count - at) }, (_, i) => make(at + i));
    made.push(...(await Promise.all(batch)));
  }
  return made;
}

async function expectNothingHeld(descriptorsBefore: number): Promise<void> {
  await eventually(async () => {
    const text = (await scene.product.admin.get('/metrics')).text;
    const held = [...text.matchAll(/^sallyport_connections\{kind="\w+"\} \d+$/gm)].map(String);
    expect(held.length).toBeGreaterThan(0);
    expect(held.filter((line) => !line.endsWith(' 0'))).toEqual([]);
    expect(countDescriptors()).toBeLessThanOrEqual(descriptorsBefore + 10);
  }, 5_000);
}

test('I7 outside tunnels', async () => {
  await expectServes(3);
  const descriptors = countDescriptors();
  const before = residentBytes();
  const { host, port } = scene.product.proxy;
  let ended = 0;
  const sockets = await inBatches(OUTSIDE, 400, async () => {
    const socket = net.connect(port, host);
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.once('close', () => (ended += 1)).resume();
    socket.write(`CONNECT ${HOST}:443 HTTP/1.1\r\nHost: `);
    return socket;
  });
  expect(sockets.filter(({ destroyed }) => !destroyed).length).toBeGreaterThan(OUTSIDE / 2);
  expect((residentBytes() - before) / OUTSIDE).toBeLessThan(OUTSIDE_BYTES_MAX);
  await expectServes(5);
  for (const socket of sockets) drip(socket);
  await expectServes(5);
  await eventually(() => expect(ended).toBe(OUTSIDE), HEAD_MS + 10_000);
  await expectNothingHeld(descriptors);
  await expectServes(3);
}, 60_000);

function drip(socket: Socket): void {
  if (socket.writable) socket.write('a');
}

test('I7 inside tunnels', async () => {
  const { product } = scene;
  await expectServes(3);
  const descriptors = countDescriptors();
  const before = residentBytes();
  const hostile = await Promise.all(
    Array.from({ length: SANDBOXES }, () => product.createSandbox({ secrets: { KEY: 'api' } })),
  );
  const block = encodeFields([':method', 'GET', ':scheme', 'https', ':path', '/', 'x-a', 'b']);
  const tunnels = await inBatches(INSIDE, 50, async (i): Promise<HttpConnection> => {
    const { token } = hostile[i % SANDBOXES] ?? innocent;
    const isHttp2 = i % 2 === 1;
    const tunnel = await openTunnel({
      proxy: product.proxy,
      authority: `${HOST}:443`,
      token,
      ca: product.caPem,
      ...(isHttp2 ? { alpn: ['h2'] } : {}),
    });
    // A head that is never ended: no empty line, no END_HEADERS.
    if (isHttp2) {
      const head = encodeFrame(FrameType.headers, 0, 1, block);
      tunnel.send(Buffer.concat([PREFACE, encodeSettings(), head]));
    } else {
      tunnel.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nX-A: `);
    }
    return tunnel;
  });
  expect((residentBytes() - before) / INSIDE).toBeLessThan(INSIDE_BYTES_MAX);
  await expectServes(5);
  await eventually(() => {
    expect(tunnels.filter(({ reader }) => !reader.ended)).toHaveLength(0);
  }, HEAD_MS + 10_000);
  for (const tunnel of tunnels) tunnel.destroy();
  await expectNothingHeld(descriptors);
  await expectServes(3);
  const rows = (await product.admin.must(
    'GET',
    `/sandboxes/${innocent.id}/network?limit=1000`,
  )) as {
    readonly data: readonly { readonly error_code?: string | null }[];
  };
  expect(rows.data.filter(({ error_code: code }) => (code ?? null) !== null)).toEqual([]);
}, 60_000);
