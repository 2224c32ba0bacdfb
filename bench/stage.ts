/**
 * What the measurements stand on, started once: nginx as origin, nginx as floor, http-proxy as baseline, a
 * bare relay, and the product with one bound secret. Every contender is a `Contender`: where to send the load and
 * whose CPU to read.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProduct } from '../test/support/product.ts';
import type { Product } from '../test/support/product.ts';
import { TestAuthority } from '../test/support/test-authority.ts';
import { Nginx, originBlock, reverseProxyBlock } from './nginx.ts';

export const BENCH_HOST = 'api.bench.test';
/** The same origin, its secret not masked in responses. */
const UNMASKED_HOST = 'unmasked.bench.test';
/** The same origin, which offers HTTP/2 under this name. */
const HTTP2_HOST = 'http2.bench.test';

export interface Contender {
  readonly name: string;
  readonly pid: number;
  readonly url: string;
  readonly host?: string;
  readonly proxy?: string;
}

export interface Stage extends AsyncDisposable {
  readonly directory: string;
  readonly product: Product;
  readonly floor: Contender;
  readonly baseline: Contender;
  /** Node's server and undici without a proxy's work: the floor of this runtime. */
  readonly bare: Contender;
  readonly sallyport: Contender;
  /** The product, for a secret whose value is not looked for in answers. */
  readonly unmasked: Contender;
  /** The same two with HTTP/2 in front; the product's origin speaks it too. */
  readonly http2Floor: Contender;
  readonly http2: Contender;
  /** `HOST:PORT` of the origin, and who signed its certificate. */
  readonly originAddress: string;
  readonly originCa: string;
}

/** Starts one of the relays of this folder; resolves when it printed its port. */
async function startRelay(
  name: string,
  args: readonly string[],
): Promise<{ child: ChildProcess; port: number }> {
  const flags = ['--disable-warning=DEP0060', '--disable-warning=DEP0169'];
  const file = join(import.meta.dirname, name);
  const child = spawn(process.execPath, [...flags, file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, port: Number(line.toString()) };
}

/** Starts everything; on failure what was started is stopped again. */
export async function startStage(nginxCommand: string): Promise<Stage> {
  const stack = new AsyncDisposableStack();
  try {
    const directory = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    const authority = new TestAuthority('Sallyport bench authority');
    const leaf = authority.mintLeaf([BENCH_HOST, UNMASKED_HOST, HTTP2_HOST, '127.0.0.1']);
    const caFile = join(directory, 'ca.pem');
    await writeFile(caFile, authority.caPem);
    await writeFile(join(directory, 'big'), '');
    await truncate(join(directory, 'big'), 2 ** 30);
    // nginx's worker may run as another user.
    await chmod(directory, 0o755);

    const start = (name: string, httpBlock: string): Promise<Nginx> =>
      Nginx.start({ command: nginxCommand, directory: join(directory, name), leaf, httpBlock });
    const origin = stack.use(await start('origin', originBlock(directory)));
    const floor = stack.use(
      await start('floor', reverseProxyBlock(origin.port, BENCH_HOST, caFile)),
    );
    const http2Origin = stack.use(await start('origin-h2', originBlock(directory, 'http2')));
    const http2Floor = stack.use(
      await start('floor-h2', reverseProxyBlock(origin.port, BENCH_HOST, caFile, 'http2')),
    );
    const files = ['cert.pem', 'key.pem'].map((name) => join(directory, 'floor', name));
    const relayArgs = [String(origin.port), BENCH_HOST, caFile, ...files];
    const baseline = await startRelay('baseline-proxy.ts', relayArgs);
    stack.defer(() => void baseline.child.kill('SIGTERM'));
    const bare = await startRelay('bare-relay.ts', relayArgs);
    stack.defer(() => void bare.child.kill('SIGTERM'));

    const product = stack.use(
      await startProduct({
        hosts: {
          [BENCH_HOST]: `127.0.0.1:${origin.port}`,
          [UNMASKED_HOST]: `127.0.0.1:${origin.port}`,
          [HTTP2_HOST]: `127.0.0.1:${http2Origin.port}`,
        },
        originCa: authority.caPem,
      }),
    );
    await product.createSecret('bench', `not-a-real-key-${'0'.repeat(32)}`, {
      auth: { type: 'bearer' },
      hosts: [BENCH_HOST, HTTP2_HOST],
    });
    await product.createSecret('unmasked', `not-a-real-key-${'1'.repeat(32)}`, {
      auth: { type: 'bearer' },
      hosts: [UNMASKED_HOST],
      mask_responses: false,
    });
    const sandbox = await product.createSandbox({
      secrets: { BENCH_KEY: 'bench', UNMASKED_KEY: 'unmasked' },
    });
    const direct = (name: string, pid: number, port: number): Contender => ({
      name,
      pid,
      url: `https://127.0.0.1:${port}/v1/items/1`,
      host: BENCH_HOST,
    });
    const owned = stack.move();
    return {
      directory,
      product,
      floor: direct('nginx (floor)', floor.pid, floor.port),
      baseline: direct('http-proxy (baseline)', baseline.child.pid ?? 0, baseline.port),
      bare: direct('node:https + undici, bare', bare.child.pid ?? 0, bare.port),
      sallyport: {
        name: 'sallyport',
        pid: product.pid,
        url: `https://${BENCH_HOST}/v1/items/1`,
        proxy: sandbox.proxyUrl,
      },
      http2Floor: {
        ...direct('nginx (HTTP/2 in front)', http2Floor.pid, http2Floor.port),
        host: HTTP2_HOST,
      },
      http2: {
        name: 'sallyport, HTTP/2',
        pid: product.pid,
        url: `https://${HTTP2_HOST}/v1/items/1`,
        proxy: sandbox.proxyUrl,
      },
      originAddress: `127.0.0.1:${origin.port}`,
      originCa: authority.caPem,
      unmasked: {
        name: 'sallyport, without masking',
        pid: product.pid,
        url: `https://${UNMASKED_HOST}/v1/items/1`,
        proxy: sandbox.proxyUrl,
      },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
