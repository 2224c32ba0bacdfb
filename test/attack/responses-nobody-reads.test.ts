/**
 * HTTP/2 gives every stream a window of its own, so a client that opens many and reads none makes the proxy
 * hold a window full of each: it used to be 2 GiB for one sandbox. What waits for one sandbox has a bound.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { openHttp2 } from '../support/http2-client.ts';
import { Http2Origin } from '../support/http2-origin.ts';
import type { StreamHandler } from '../support/http2-origin.ts';
import { startProduct } from '../support/product.ts';
import type { Product } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';

const HOST = 'api.example.test';
const STREAMS = 200;
const CHUNK = Buffer.alloc(64 * 1024, 'x');
const authority = new TestAuthority();
let origin: Http2Origin;
let product: Product;

/** As much as the windows allow. */
const torrent: StreamHandler = (stream) => {
  stream.respond({ ':status': 200 });
  const send = (): void => {
    while (!stream.destroyed && stream.write(CHUNK));
  };
  stream.on('drain', send);
  send();
};

const large: StreamHandler = (stream) => {
  stream.respond({ ':status': 200 });
  stream.end(Buffer.concat(Array<Buffer>(32).fill(CHUNK)));
};

beforeAll(async () => {
  const handlers = { '/torrent': torrent, '/large': large };
  origin = await Http2Origin.start({ leaf: authority.mintLeaf([HOST]), handlers });
  product = await startProduct({ hosts: { [HOST]: origin.address }, originCa: authority.caPem });
  await product.createSecret('api', mintCanary(), { auth: { type: 'bearer' }, hosts: [HOST] });
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
});

test('I7 I4 what nobody reads is given up beyond a bound, and only that of the same sandbox', async () => {
  const [idler, other] = await Promise.all(
    [0, 1].map(() => product.createSandbox({ secrets: { KEY: 'api' } })),
  );
  if (idler === undefined || other === undefined) throw new Error('no sandboxes');
  const tunnels = await Promise.all(
    [0, 1].map(() =>
      openHttp2(product, idler, `${HOST}:443`, { settings: { initialWindowSize: 0 } }),
    ),
  );
  let given = 0;
  for (let count = 0; count < STREAMS; count += 1) {
    const stream = tunnels[count % tunnels.length]?.open({ path: '/torrent' });
    stream?.once('close', () => {
      given += 1;
    });
  }
  // A window of each is a mebibyte, the bound 128.
  await eventually(() => {
    expect(given).toBeGreaterThan(50);
  });
  expect(given).toBeLessThan(STREAMS);
  await eventually(async () => {
    const rows = (await product.admin.must('GET', `/audit?sandbox=${idler.id}&limit=1000`)) as {
      readonly data: readonly { readonly code: string | null; readonly detail: string }[];
    };
    expect(rows.data).toHaveLength(given);
    expect(new Set(rows.data.map(({ code }) => code))).toEqual(new Set(['too_many_connections']));
  });
  using theirs = await openHttp2(product, other, `${HOST}:443`);
  expect((await theirs.request({ path: '/large' })).body).toHaveLength(32 * CHUNK.length);
  for (const tunnel of tunnels) tunnel[Symbol.dispose]();
  using again = await openHttp2(product, idler, `${HOST}:443`);
  expect((await again.request({ path: '/large' })).body).toHaveLength(32 * CHUNK.length);
});
