/**
 * gRPC through an interception, with published client and server: every kind of call, deadlines and
 * cancellation, errors, large messages, injected metadata, and refusals as gRPC statuses.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openHome, runClient } from '../sdk/client-program.ts';
import type { ClientHome } from '../sdk/client-program.ts';
import { mintCanary } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { startProduct } from '../support/product.ts';
import type { Product } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';

const HOST = 'grpc.example.test';
const OTHER = 'other.example.test';
const TARGET = `${HOST}:443`;
/** google.rpc.Code */
const CODE = {
  cancelled: 1,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  unavailable: 14,
};
const key = mintCanary();
const authority = new TestAuthority();

interface ServerLine {
  readonly port?: number;
  readonly call?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly hasDeadline?: boolean;
  readonly cancelled?: string;
}

let directory: string;
let server: ChildProcess;
let product: Product;
let home: ClientHome;
const lines: ServerLine[] = [];

async function startServer(): Promise<number> {
  const leaf = authority.mintLeaf([HOST, OTHER]);
  const certFile = path.join(directory, 'cert.pem');
  const keyFile = path.join(directory, 'key.pem');
  await writeFile(certFile, leaf.certPem);
  await writeFile(keyFile, leaf.keyPem);
  const program = path.resolve(import.meta.dirname, '../sdk/programs/grpc-server.mjs');
  server = spawn(process.execPath, [program, certFile, keyFile], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  server.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      lines.push(JSON.parse(text.slice(0, end)) as ServerLine);
      text = text.slice(end + 1);
    }
  });
  return eventually(() => {
    const port = lines.find((line) => line.port !== undefined)?.port;
    if (port === undefined) throw new Error('the gRPC server did not start');
    return port;
  }, 10_000);
}

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'sallyport-grpc-'));
  const address = `127.0.0.1:${await startServer()}`;
  const hosts = { [HOST]: address, [OTHER]: address };
  product = await startProduct({ hosts, originCa: authority.caPem });
  const auth = { type: 'api-key', header: 'x-api-key' };
  await product.createSecret('api', key, { auth, hosts: [HOST] });
  await product.createSecret('other', mintCanary(), { auth, hosts: [OTHER] });
  home = await openHome(
    product,
    await product.createSandbox({ secrets: { API_KEY: 'api', OTHER_KEY: 'other' } }),
  );
});

beforeEach(() => {
  lines.length = 0;
});

afterAll(async () => {
  await product.assertNoLeak(key);
  await product[Symbol.asyncDispose]();
  server.kill();
  await rm(directory, { recursive: true, force: true });
});

const call = (name: string, ...args: readonly string[]) =>
  runClient(home, 'grpc', name, TARGET, ...args) as Promise<unknown>;

interface Row {
  readonly path?: string;
  readonly code?: string | null;
  readonly http_version?: string;
}

async function lastRow(): Promise<Row | undefined> {
  const { data } = (await product.admin.must('GET', `/audit?sandbox=${home.sandbox.id}`)) as {
    data: Row[];
  };
  return data[0];
}

describe('calls', () => {
  test('unary, with metadata before and after, and the injected key', async () => {
    expect(await call('unary')).toMatchObject({
      answer: { hello: 'world' },
      first: { 'x-first': 'before' },
      trailers: { 'x-trailer': 'after' },
    });
    expect(lines[0]).toMatchObject({ call: 'unary', metadata: { 'x-api-key': key } });
    await eventually(async () => {
      expect(await lastRow()).toMatchObject({ path: '/test.Echo/Unary', http_version: '2' });
    });
  });

  test('a placeholder in the metadata selects its secret', async () => {
    expect(await call('placeholder', home.sandbox.placeholders['API_KEY'] ?? '')).toMatchObject({
      answer: {},
    });
    expect(lines[0]?.metadata?.['x-api-key']).toBe(key);
  });

  test('client streaming', async () => {
    expect(await call('collect')).toEqual({ answer: ['a', 'b', 'c'] });
  });

  test('server streaming', async () => {
    expect(await call('spread')).toEqual({ messages: Array.from({ length: 1_000 }, (_, i) => i) });
  });

  test('both ways, message by message', async () => {
    const messages = [0, 1, 2, 3, 4].map((answer) => ({ answer }));
    expect(await call('chat')).toEqual({ messages });
  });

  test('messages of 8 MiB', async () => {
    expect(await call('large')).toEqual({ length: 8 * 1024 * 1024 });
  });

  test('two hundred at once on one channel', async () => {
    expect(await call('many')).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });
});

describe('ends', () => {
  test("the server's error arrives with its details", async () => {
    const fault = { code: CODE.notFound, details: 'no such thing: 100 % café' };
    expect(await call('fail')).toMatchObject({ fault });
  });

  test('a deadline passes on, and cancels at the server', async () => {
    const answer = await call('deadline');
    expect(answer).toMatchObject({ messages: ['begun'], fault: { code: CODE.deadlineExceeded } });
    expect(lines[0]).toMatchObject({ call: 'hold', hasDeadline: true });
    await eventually(() => expect(lines).toContainEqual({ cancelled: 'hold' }));
  });

  test('a cancelled call is cancelled at the server', async () => {
    expect(await call('cancel')).toMatchObject({ fault: { code: CODE.cancelled } });
    await eventually(async () => {
      expect(lines).toContainEqual({ cancelled: 'hold' });
      expect(await lastRow()).toMatchObject({ path: '/test.Echo/Hold', code: 'client_aborted' });
    });
  });
});

describe('refusals', () => {
  test("another host's placeholder: PERMISSION_DENIED, and why", async () => {
    const placeholder = home.sandbox.placeholders['OTHER_KEY'] ?? '';
    const { fault } = (await call('placeholder', placeholder)) as {
      fault: { code: number; details: string };
    };
    expect(fault.code).toBe(CODE.permissionDenied);
    expect(fault.details).toContain('credential_host_mismatch');
    expect(lines).toEqual([]);
  });

  test('a disabled secret: what a retry cannot mend is not UNAVAILABLE for ever', async () => {
    const own = mintCanary();
    const auth = { type: 'api-key', header: 'x-api-key' };
    await product.createSecret('short', own, { auth, hosts: [HOST] });
    const sandbox = await product.createSandbox({ secrets: { API_KEY: 'short' } });
    await product.admin.must('PATCH', '/secrets/short', { disabled: true });
    const disabled = await openHome(product, sandbox);
    const { fault } = (await runClient(disabled, 'grpc', 'unary', TARGET)) as {
      fault: { code: number; details: string };
    };
    expect(fault.details).toContain('credential_disabled');
    expect(fault.code).not.toBe(0);
    await product.assertNoLeak(own);
  });
});
