/**
 * Rotating the CA under clients of several TLS stacks that hold the old certificate, both, or the new one
 * alone; open tunnels go on, and every step survives the process being killed.
 */
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runSallyport } from '../cli/command-line.ts';
import { mintCanary } from '../support/canary.ts';
import { openTunnel } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { lacks } from '../support/missing-tools.ts';
import { reply } from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { runTool } from '../support/tool.ts';

const HOST = 'api.example.test';
const HELLO = 'hello from the origin\n';
let scene: Scene;
let sandbox: TestSandbox;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-ca-'));
  scene = await startScene({ names: [HOST], handlers: { '/hello': reply(200, HELLO) } });
  await scene.product.createSecret('api', mintCanary(), {
    auth: { type: 'bearer' },
    hosts: [HOST],
  });
  sandbox = await scene.product.createSandbox({ secrets: { API_KEY: 'api' } });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

async function currentPem(): Promise<string> {
  return (await scene.product.admin.get('/ca.pem')).text;
}

async function step(path: string): Promise<void> {
  await scene.product.admin.must('POST', `/ca/${path}`);
}

function countOf(pem: string): number {
  return pem.split('-----BEGIN CERTIFICATE-----').length - 1;
}

/** Who can speak to the host with nothing but this file to trust: `true` where it was answered. */
const CLIENTS: Readonly<Record<string, (caFile: string, proxyUrl: string) => Promise<boolean>>> = {
  curl: async (caFile, proxyUrl) => {
    const args = ['-sS', '--cacert', caFile, '-x', proxyUrl, `https://${HOST}/hello`];
    return (await runTool('curl', args)).stdout === HELLO;
  },
  wget: async (caFile, proxyUrl) => {
    const args = ['-q', '-O', '-', `--ca-certificate=${caFile}`, `https://${HOST}/hello`];
    const env = { https_proxy: proxyUrl, HOME: directory };
    return (await runTool('wget', args, { env })).stdout === HELLO;
  },
  openssl: async (caFile, proxyUrl) => {
    const { host, username, password } = new URL(proxyUrl);
    const at = ['s_client', '-connect', `${HOST}:443`, '-servername', HOST, '-proxy', host];
    const as = ['-proxy_user', username, '-proxy_pass', `pass:${password}`];
    const trust = [
      '-CAfile',
      caFile,
      '-no-CApath',
      '-verify_return_error',
      '-verify_hostname',
      HOST,
    ];
    const result = await runTool('openssl', [...at, ...as, ...trust], { input: 'Q\n' });
    return result.stdout.includes('Verify return code: 0 (ok)');
  },
};

const NEEDED = Object.keys(CLIENTS);

async function whoTrusts(caPem: string): Promise<string[]> {
  const caFile = join(directory, `ca-${countOf(caPem)}-${Math.random()}.pem`);
  await writeFile(caFile, caPem);
  const trusting = await Promise.all(
    Object.entries(CLIENTS).map(async ([name, connect]) =>
      (await connect(caFile, sandbox.proxyUrl)) ? name : '',
    ),
  );
  return trusting.filter((name) => name !== '');
}

describe.skipIf(lacks(...NEEDED))('clients of OpenSSL and GnuTLS', () => {
  test('the old certificate works until the switch, both all along, the new one after it', async () => {
    const { product } = scene;
    const old = await currentPem();
    expect(await whoTrusts(old)).toEqual(NEEDED);
    await step('rotate');
    const both = await currentPem();
    expect(countOf(both)).toBe(2);
    expect(both.startsWith(old)).toBe(true);
    const fresh = both.slice(old.length);
    expect(await whoTrusts(old)).toEqual(NEEDED);
    expect(await whoTrusts(both)).toEqual(NEEDED);
    expect(await whoTrusts(fresh)).toEqual([]);
    const later = await product.createSandbox();
    expect(Object.values(later.files)).toContain(both);
    expect(Object.values(later.files).every((pem) => pem.includes(fresh.trim()))).toBe(true);

    // A tunnel from before the switch: its requests go on.
    const trust = { ca: both, token: sandbox.token };
    const plan = { proxy: product.proxy, authority: `${HOST}:443`, ...trust };
    using open = await openTunnel(plan);
    expect((await open.request({ path: '/hello' })).text()).toBe(HELLO);
    await step('switch');
    expect((await open.request({ path: '/hello' })).text()).toBe(HELLO);

    expect(await whoTrusts(old)).toEqual([]);
    expect(await whoTrusts(both)).toEqual(NEEDED);
    expect(await whoTrusts(fresh)).toEqual(NEEDED);
    // Going back, as long as it is not finished.
    await step('cancel');
    expect(await whoTrusts(old)).toEqual(NEEDED);
    await step('rotate');
    await step('switch');
    const again = (await currentPem()).replace(old, '');
    await step('finish');
    expect(await currentPem()).toBe(again);
    expect(await whoTrusts(again)).toEqual(NEEDED);
    expect((await open.request({ path: '/hello' })).text()).toBe(HELLO);
  });
});

describe('the steps', () => {
  test('survive kill -9: what was answered is in force, what was not is whole or not at all', async () => {
    const { product } = scene;
    const again = async (): Promise<string> => {
      await product.restart('kill');
      const { proxy_token: token } = (await product.admin.must(
        'POST',
        `/sandboxes/${sandbox.id}/token`,
      )) as { proxy_token: string };
      using tunnel = await product.openTunnel({ token }, `${HOST}:443`);
      expect((await tunnel.request({ path: '/hello' })).status).toBe(200);
      return currentPem();
    };
    const old = await currentPem();
    await step('rotate');
    const both = await currentPem();
    expect(await again()).toBe(both);
    await step('switch');
    const switched = await currentPem();
    expect(await again()).toBe(switched);
    expect(switched).not.toBe(both);
    await step('finish');
    expect(await again()).toBe(both.slice(old.length));
    for (const afterMs of [0, 3, 8]) {
      const asked = product.admin.call('POST', '/ca/rotate').catch(() => undefined);
      await delay(afterMs);
      const pem = await again();
      await asked;
      const { phase } = (await product.admin.must('GET', '/ca')) as { phase: string };
      expect([countOf(pem), phase]).toEqual(countOf(pem) === 2 ? [2, 'overlap'] : [1, 'steady']);
      if (phase === 'overlap') await step('cancel');
    }
  });

  test('from the command line, each says what comes next', async () => {
    const { product } = scene;
    const env = { SALLYPORT_URL: product.admin.origin, SALLYPORT_API_KEY: product.admin.key };
    const run = async (...args: string[]): Promise<string> =>
      (await runSallyport(['ca', ...args], { env })).stdout;
    const fingerprint = new X509Certificate(await currentPem()).fingerprint256;
    expect(await run('show')).toContain(fingerprint);
    expect(await run('rotate', '--switch-after', '7d')).toMatch(/The new one signs from 2/);
    expect(await run('show')).toMatch(/signs +CN=.*\n.*signs after the switch/);
    expect(await run('rotate', '--switch')).toContain('sallyport ca rotate --finish');
    const retired = await run('show');
    expect(retired).toMatch(new RegExp(`trusted until finished.*${fingerprint}`));
    expect(await run('rotate', '--finish')).not.toContain(fingerprint);
    const refused = await runSallyport(['ca', 'rotate', '--finish'], { env });
    expect(refused).toMatchObject({ code: 7 });
    expect(refused.stderr).toContain('No rotation is under way');
  });

  test('the switch comes by itself when its time has come', async () => {
    const { product } = scene;
    const body = { switch_after_seconds: 1 };
    await product.admin.must('POST', '/ca/rotate', body);
    await eventually(async () => {
      expect(await product.admin.must('GET', '/ca')).toMatchObject({ phase: 'switched' });
    });
    await step('finish');
  });
});
