/**
 * `last_used_at`: the latest exchange whose head, with the value in it, was written to a verified origin
 * connection. What is not use: refusals, DNS, connect and TLS failures, kept credentials, explain.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { Origin } from '../support/origin.ts';
import { cut, slow } from '../support/origin-replies.ts';
import type { Product } from '../support/product.ts';
import { startProduct } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';

const authority = new TestAuthority();
let origin: Origin;
let untrusted: Origin;
let product: Product;
let count = 0;

beforeAll(async () => {
  const names = ['api.example.test', 'other.example.test'];
  const handlers = { '/cut': cut(), '/slow': slow(400) };
  origin = await Origin.start({ leaf: authority.mintLeaf(names), handlers });
  untrusted = await Origin.start({ leaf: new TestAuthority().mintLeaf(['bad-tls.example.test']) });
  product = await startProduct({
    originCa: authority.caPem,
    hosts: {
      'api.example.test': origin.address,
      'other.example.test': origin.address,
      'bad-tls.example.test': untrusted.address,
      'refused.example.test': '127.0.0.1:1',
    },
  });
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await origin.close();
  await untrusted.close();
});

async function makeSecret(more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  count += 1;
  const hosts = ['api.example.test', 'bad-tls.example.test', 'refused.example.test'];
  const base = { auth: { type: 'bearer' }, hosts };
  await product.createSecret(`secret_${count}`, mintCanary(), { ...base, ...more });
  return `secret_${count}`;
}

interface Usage {
  readonly last_used_at: string | null;
  readonly last_answered_at: string | null;
  readonly updated_at: string;
}

async function readUsage(secret: string): Promise<Usage> {
  return (await product.admin.must('GET', `/secrets/${secret}`)) as Usage;
}

describe('is use', () => {
  test('an exchange, at once, exactly, without touching updated_at', async () => {
    const secret = await makeSecret();
    const before = await readUsage(secret);
    expect(before.last_used_at).toBeNull();
    const sandbox = await product.createSandbox({ secrets: { KEY: secret } });
    using tunnel = await product.openTunnel(sandbox, 'api.example.test:443');
    const from = Date.now();
    await tunnel.request({ path: '/' });
    const until = Date.now();
    const after = await readUsage(secret);
    const usedAt = Date.parse(after.last_used_at ?? '');
    expect(usedAt).toBeGreaterThanOrEqual(from - 1);
    expect(usedAt).toBeLessThanOrEqual(until + 1);
    expect(Date.parse(after.last_answered_at ?? '')).toBeGreaterThanOrEqual(usedAt);
    expect(after.updated_at).toBe(before.updated_at);
  });

  test('a request the origin never answered: used, not answered', async () => {
    const secret = await makeSecret();
    const sandbox = await product.createSandbox({ secrets: { KEY: secret } });
    using tunnel = await product.openTunnel(sandbox, 'api.example.test:443');
    const answer = await tunnel.request({ method: 'POST', path: '/cut', body: 'x' });
    expect(answer.status).toBe(502);
    const usage = await readUsage(secret);
    expect(usage.last_used_at).not.toBeNull();
    expect(usage.last_answered_at).toBeNull();
  });

  test('it survives a kill: what was flushed stays, and it only moves forward', async () => {
    const secret = await makeSecret();
    const sandbox = await product.createSandbox({ secrets: { KEY: secret } });
    {
      using tunnel = await product.openTunnel(sandbox, 'api.example.test:443');
      await tunnel.request({ path: '/' });
    }
    const used = (await readUsage(secret)).last_used_at;
    await product.restart('stop');
    expect((await readUsage(secret)).last_used_at).toBe(used);
  });
});

describe('is not use', () => {
  const hostsThatFail: readonly [string, string, string][] = [
    ['a failed connect', 'refused.example.test', 'upstream_unreachable'],
    ['an origin that is not trusted', 'bad-tls.example.test', 'upstream_tls_failed'],
  ];
  test.each(hostsThatFail)('%s', async (_what, host, code) => {
    const secret = await makeSecret();
    const sandbox = await product.createSandbox({ secrets: { KEY: secret } });
    using tunnel = await product.openTunnel(sandbox, `${host}:443`);
    const answer = await tunnel.request({ path: '/' });
    expect(answer.status).toBe(502);
    expect(answer.json()).toMatchObject({ error: { code } });
    expect((await readUsage(secret)).last_used_at).toBeNull();
    expect(untrusted.requests).toEqual([]);
  });

  test('a refusal', async () => {
    const secret = await makeSecret({ methods: ['GET'] });
    const sandbox = await product.createSandbox({ secrets: { KEY: secret } });
    using tunnel = await product.openTunnel(sandbox, 'api.example.test:443');
    expect((await tunnel.request({ method: 'DELETE', path: '/' })).status).toBe(403);
    expect((await readUsage(secret)).last_used_at).toBeNull();
  });

  test("the client's own credential, kept", async () => {
    const secret = await makeSecret({ on_existing: 'keep' });
    const sandbox = await product.createSandbox({ secrets: { KEY: secret } });
    using tunnel = await product.openTunnel(sandbox, 'api.example.test:443');
    const own = ['Authorization', 'Bearer own'];
    expect((await tunnel.request({ path: '/', fields: own })).status).toBe(200);
    expect(origin.last.rawHeaders).toContain('Bearer own');
    expect((await readUsage(secret)).last_used_at).toBeNull();
  });

  test('explain', async () => {
    const secret = await makeSecret();
    const sandbox = await product.createSandbox({ secrets: { KEY: secret } });
    const url = 'https://api.example.test/';
    await product.admin.must('POST', '/explain', { sandbox: sandbox.id, method: 'GET', url });
    expect((await readUsage(secret)).last_used_at).toBeNull();
  });

  test('a request to another host', async () => {
    const secret = await makeSecret();
    const sandbox = await product.createSandbox({ secrets: { KEY: secret } });
    const tunnel = await product.openTunnel(sandbox, 'other.example.test:443', authority.caPem);
    await tunnel.request({ path: '/' });
    tunnel.destroy();
    await eventually(async () => expect((await readUsage(secret)).last_used_at).toBeNull());
  });
});
