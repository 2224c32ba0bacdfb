/**
 * Row 5: what the proxy adds to each server-sent event, p99. The origin stamps every event with its
 * monotonic clock; the same stream is read directly and through an intercepted tunnel.
 */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { HttpConnection } from '../../test/support/client.ts';
import type { RequestPlan } from '../../test/support/client.ts';
import { Origin } from '../../test/support/origin.ts';
import { startProduct } from '../../test/support/product.ts';
import { TestAuthority } from '../../test/support/test-authority.ts';
import type { Figure } from '../figure.ts';
import { percentile } from '../figure.ts';

const HOST = 'stream.bench.test';
const EVENTS = 400;
const EVERY_MS = 10;
const REACH_MS = 2;

/** Delay of each event from its stamp to its arrival here, ms. */
async function readDelays(connection: HttpConnection): Promise<number[]> {
  const plan: RequestPlan = { path: '/events' };
  connection.sendRequest(plan);
  await connection.readHead();
  const delays: number[] = [];
  for (let i = 0; i < EVENTS; i += 1) {
    await connection.reader.readUntil('data: ');
    const stamp = Number((await connection.reader.readUntil('\n')).toString());
    delays.push(performance.now() - stamp);
  }
  connection.destroy();
  return delays;
}

export async function measureEventDelay(): Promise<Figure> {
  const authority = new TestAuthority();
  await using origin = await Origin.start({
    leaf: authority.mintLeaf([HOST]),
    handlers: {
      '/events': async (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        for (let i = 0; i < EVENTS && !response.destroyed; i += 1) {
          response.write(`data: ${performance.now()}\n\n`);
          await delay(EVERY_MS);
        }
        response.end();
      },
    },
  });
  await using product = await startProduct({
    hosts: { [HOST]: origin.address },
    originCa: authority.caPem,
  });
  const more = { auth: { type: 'bearer' }, hosts: [HOST] };
  await product.createSecret('stream', 'not-a-real-key-for-the-bench', more);
  const sandbox = await product.createSandbox({ secrets: { KEY: 'stream' } });

  const socket = tls.connect({
    host: '127.0.0.1',
    port: origin.port,
    servername: HOST,
    ca: authority.caPem,
  });
  await once(socket, 'secureConnect');
  const tunnel = await product.openTunnel(sandbox, `${HOST}:443`);
  // At the same time, so that other load falls on both.
  const [direct, through] = await Promise.all([
    readDelays(new HttpConnection(socket, HOST)),
    readDelays(tunnel),
  ]);
  const added = percentile(through, 0.99) - percentile(direct, 0.99);
  const show = (numbers: readonly number[]): string =>
    `p50 ${percentile(numbers, 0.5).toFixed(2)}, p99 ${percentile(numbers, 0.99).toFixed(2)} ms`;
  return {
    row: 5,
    title: 'delay added to each SSE event, p99',
    target: '< 2 ms',
    measured: `${added.toFixed(2)} ms`,
    reached: added < REACH_MS,
    detail: `${EVENTS} events, one every ${EVERY_MS} ms. Direct: ${show(direct)}; through the proxy: ${show(through)}.`,
  };
}
