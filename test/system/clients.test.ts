/**
 * Unmodified command-line clients with the environment a sandbox is given: curl, wget and git, over TLS
 * stacks of both kinds (OpenSSL and GnuTLS).
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { valuesOf } from '../support/origin.ts';
import { gitBackend, reply } from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { clientEnvironment } from '../support/client-environment.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { runTool } from '../support/tool.ts';
import { lacks } from '../support/missing-tools.ts';

const apiKey = mintCanary();
const gitToken = mintCanary();
let scene: Scene;
let sandbox: TestSandbox;
let env: Record<string, string>;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-clients-'));
  await mkdir(join(directory, 'repositories'));
  const names = ['api.example.test', 'plain.example.test', 'git.example.test'];
  scene = await startScene({
    names,
    handlers: {
      '/hello': reply(200, 'hello from the origin\n'),
      '*': gitBackend(join(directory, 'repositories')),
    },
  });
  const { product } = scene;
  await product.createSecret('api', apiKey, {
    auth: { type: 'bearer' },
    hosts: ['api.example.test'],
  });
  const gitAuth = {
    per_host: [{ hosts: ['git.example.test'], type: 'basic', username: 'x-access-token' }],
  };
  await product.createSecret('git', gitToken, { auth: gitAuth, hosts: ['git.example.test'] });
  sandbox = await product.createSandbox({ secrets: { API_KEY: 'api', GIT_TOKEN: 'git' } });
  env = await clientEnvironment(product, sandbox, { home: directory });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

async function expectInjected(): Promise<void> {
  expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${apiKey}`]);
  await scene.product.assertNoLeak(apiKey);
}

describe.skipIf(lacks('curl'))('curl', () => {
  const api = 'https://api.example.test/hello';

  test('with its placeholder', async () => {
    const header = `Authorization: Bearer ${sandbox.placeholders['API_KEY'] ?? ''}`;
    const result = await runTool('curl', ['-sS', '--fail-with-body', '-H', header, api], { env });
    expect(result).toMatchObject({ code: 0, stdout: 'hello from the origin\n', stderr: '' });
    await expectInjected();
  });

  test('with nothing at all: injected by host', async () => {
    const result = await runTool('curl', ['-sS', '--fail-with-body', api], { env });
    expect(result).toMatchObject({ code: 0, stdout: 'hello from the origin\n' });
    await expectInjected();
  });

  test('with --proxy-anyauth, which sends the first CONNECT bare', async () => {
    const args = ['-sS', '--fail-with-body', '--proxy-anyauth', api];
    const result = await runTool('curl', args, { env });
    expect(result).toMatchObject({ code: 0, stdout: 'hello from the origin\n' });
    await expectInjected();
  });

  test('a host without a secret is tunnelled untouched', async () => {
    const args = ['-sS', '--cacert', join(scene.product.directory, 'origin-ca.pem')];
    const result = await runTool('curl', [...args, 'https://plain.example.test/hello'], { env });
    expect(result).toMatchObject({ code: 0, stdout: 'hello from the origin\n' });
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([]);
  });

  test('with a wrong token: 407 and the reason in it', async () => {
    const { host, port } = scene.product.proxy;
    const proxy = `http://sandbox:not-a-real-token@${host}:${port}`;
    const args = ['-sS', '-o', '/dev/null', '-w', '%{http_connect}', '-x', proxy, api];
    const result = await runTool('curl', args, { env });
    expect(result.code).not.toBe(0);
    expect(result.stdout).toContain('407');
  });
});

describe.skipIf(lacks('wget'))('wget (GnuTLS on Debian)', () => {
  test('fetches with the injected key', async () => {
    const args = ['-q', '-O', '-', `--ca-certificate=${env['SSL_CERT_FILE'] ?? ''}`];
    const result = await runTool('wget', [...args, 'https://api.example.test/hello'], { env });
    expect(result).toMatchObject({ code: 0, stdout: 'hello from the origin\n' });
    await expectInjected();
  });
});

describe.skipIf(lacks('git'))('git over smart HTTP', () => {
  test('clones and pushes with Basic credentials it never held', async () => {
    const bare = join(directory, 'repositories', 'project.git');
    const setUp = await runTool('git', ['init', '-q', '--bare', '-b', 'main', bare], { env });
    expect(setUp.code).toBe(0);
    await runTool('git', ['-C', bare, 'config', 'http.receivepack', 'true'], { env });
    const url = 'https://git.example.test/project.git';
    const work = join(directory, 'work');
    const git = (...args: string[]) => runTool('git', args, { env, cwd: directory });
    const cloned = await git('clone', '-q', url, work);
    expect(cloned).toMatchObject({ code: 0 });
    await writeFile(join(work, 'file.txt'), 'content\n');
    const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.test'];
    await git('-C', work, 'add', '.');
    await git('-C', work, ...identity, 'commit', '-q', '-m', 'first');
    const pushed = await git('-C', work, 'push', '-q', 'origin', 'HEAD:main');
    expect(pushed).toMatchObject({ code: 0, stderr: '' });
    const again = join(directory, 'again');
    const second = await git('clone', '-q', '-b', 'main', url, again);
    expect(second).toMatchObject({ code: 0, stderr: '' });
    expect(await readFile(join(again, 'file.txt'), 'utf8')).toBe('content\n');
    const expected = `Basic ${Buffer.from(`x-access-token:${gitToken}`).toString('base64')}`;
    for (const request of scene.origin.requests.filter(({ url }) => url.includes('project.git'))) {
      expect(valuesOf(request.rawHeaders, 'authorization')).toEqual([expected]);
    }
    await scene.product.assertNoLeak(gitToken);
  });
});
