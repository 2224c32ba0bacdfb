/**
 * Two hundred sandboxes at once, each on its own kept-alive tunnel with its own secret's value, for thirty
 * seconds: no error, no mix-up, as many audit rows as requests, memory that does not grow.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readResidentBytes } from '../../bench/process-cpu.ts';
import { mintCanary } from '../support/canary.ts';
import type { HttpConnection } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const SANDBOXES = 200;
const SECRETS = 20;
const RUN_MS = 30_000;
const WARM_UP_MS = 12_000;
const PAUSE_MS = 100;
const GROWTH_BYTES_MAX = 48 * 1024 * 1024;
let scene: Scene;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST],
    // A small heap: what V8 merely has not collected yet must not look like growth.
    env: { NODE_OPTIONS: '--max-old-space-size=96 --max-semi-space-size=8' },
    handlers: {
      '*': (request, response) => {
        response.setHeader('content-type', 'text/plain');
        response.end(request.headers.authorization?.slice(-16) ?? 'none');
        scene.origin.clear();
      },
    },
  });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

interface Worker {
  readonly sandbox: TestSandbox;
  readonly tunnel: HttpConnection;
  readonly tail: string;
  requests: number;
}

async function startWorker(index: number, values: readonly string[]): Promise<Worker> {
  const secret = index % SECRETS;
  const sandbox = await scene.product.createSandbox({ secrets: { KEY: `secret_${secret}` } });
  const tunnel = await scene.product.openTunnel(sandbox, `${HOST}:443`);
  return { sandbox, tunnel, tail: values[secret]?.slice(-16) ?? '', requests: 0 };
}

/** Keeps asking; every answer must be the end of this sandbox's own value. */
async function work(worker: Worker, untilMs: number): Promise<void> {
  while (performance.now() < untilMs) {
    const answer = await worker.tunnel.request({ path: `/items/${worker.requests}` });
    worker.requests += 1;
    if (answer.status !== 200 || answer.text() !== worker.tail) {
      throw new Error(`expected the own value, got ${answer.status} ${answer.text()}`);
    }
    worker.tunnel.reader.transcript.length = 0;
    await delay(PAUSE_MS * (0.5 + Math.random()));
  }
}

async function sampleMemory(pid: number, untilMs: number): Promise<number[]> {
  const samples: number[] = [];
  while (performance.now() < untilMs) {
    samples.push(readResidentBytes(pid));
    await delay(250);
  }
  return samples;
}

test('I4: 200 kept-alive sandboxes for 30 s', { timeout: 150_000 }, async () => {
  const { product } = scene;
  const values = Array.from({ length: SECRETS }, () => mintCanary());
  for (const [i, value] of values.entries()) {
    await product.createSecret(`secret_${i}`, value, { auth: { type: 'bearer' }, hosts: [HOST] });
  }
  const workers: Worker[] = [];
  for (let i = 0; i < SANDBOXES; i += 1) workers.push(await startWorker(i, values));

  const untilMs = performance.now() + RUN_MS;
  const [memory] = await Promise.all([
    sampleMemory(product.pid, untilMs),
    ...workers.map((worker) => work(worker, untilMs)),
  ]);
  for (const { tunnel } of workers) tunnel.destroy();

  const warm = Math.floor((memory.length * WARM_UP_MS) / RUN_MS);
  const lowest = (samples: readonly number[]): number => Math.min(...samples);
  const early = lowest(memory.slice(warm, warm + 12));
  const late = lowest(memory.slice(-12));
  expect(late - early).toBeLessThan(GROWTH_BYTES_MAX);

  for (const { sandbox, requests } of workers) {
    expect(requests).toBeGreaterThan(10);
    await eventually(async () => {
      const path = `/sandboxes/${sandbox.id}/network?limit=1000`;
      const { data } = (await product.admin.must('GET', path)) as { data: { kind: string }[] };
      expect(data.filter(({ kind }) => kind === 'request')).toHaveLength(requests);
    });
  }
  await product.assertNoLeak(values.slice(0, 2), { client: false });
});
