/**
 * An HTTP/2 origin that breaks off while it is written to: Node hears nothing of it, and requests used to
 * wait for their answer for ten minutes, on a connection that was never given up.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { openHttp2, resetCodeOf } from '../support/http2-client.ts';
import type { Http2Tunnel } from '../support/http2-client.ts';
import { Http2Origin } from '../support/http2-origin.ts';
import type { StreamHandler } from '../support/http2-origin.ts';
import { startProduct } from '../support/product.ts';
import type { Product } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';

const HOST = 'api.example.test';
const ROUNDS = 6;
const STREAMS = 60;
const authority = new TestAuthority();
const half = Buffer.alloc(90_000, 'x');
const large = Buffer.alloc(1024 * 1024, 'y');
let arrived = 0;
let origin: Http2Origin;
let product: Product;

/** Answers more than is taken at once, reads nothing, and at every tenth request is gone. */
const breakOff: StreamHandler = (stream) => {
  arrived += 1;
  if (stream.destroyed) return;
  stream.respond({ ':status': 200 });
  stream.end(large);
  if (arrived % 10 === 0) stream.session?.destroy();
};

beforeAll(async () => {
  origin = await Http2Origin.start({
    leaf: authority.mintLeaf([HOST]),
    handlers: { '*': breakOff },
  });
  product = await startProduct({
    hosts: { [HOST]: origin.address },
    originCa: authority.caPem,
    settings: { limits: { upstream_idle_timeout_ms: 500 } },
  });
  await product.createSecret('api', 'not-a-real-key-of-uploads', {
    auth: { type: 'bearer' },
    hosts: [HOST],
  });
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
});

/** Opens a stream that still uploads when its origin goes; resolves when it is over. */
async function exchange(tunnel: Http2Tunnel, count: number): Promise<unknown> {
  const isUpload = count % 2 === 0;
  const plan = { path: `/${count}`, method: isUpload ? 'POST' : 'GET' };
  const stream = tunnel.open(plan, { endStream: !isUpload });
  const over = resetCodeOf(stream);
  if (isUpload) {
    stream.write(half);
    setTimeout(() => stream.end(), count % 10);
  }
  return await over;
}

test('I4 I7 every request has its end and its row, and no connection stays', async () => {
  const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
  const tunnels = await Promise.all(
    Array.from({ length: ROUNDS }, () => openHttp2(product, sandbox, `${HOST}:443`)),
  );
  const running: Promise<unknown>[] = [];
  for (const tunnel of tunnels) {
    for (let count = 0; count < STREAMS; count += 1) {
      running.push(exchange(tunnel, count));
      if (count % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
  await Promise.all(running);
  await eventually(async () => {
    const { data } = (await product.admin.must(
      'GET',
      `/audit?sandbox=${sandbox.id}&limit=1000`,
    )) as { readonly data: readonly unknown[] };
    expect(data).toHaveLength(ROUNDS * STREAMS);
    const { text } = await product.admin.get('/metrics');
    expect(text).toMatch(/^sallyport_upstream_connections 0$/m);
  }, 8_000);
  for (const tunnel of tunnels) tunnel[Symbol.dispose]();
}, 30_000);
