/** `sallyport run` from outside: what the command sees, what the origin gets, what remains. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { valuesOf } from '../support/origin.ts';
import { startScene, type Scene } from '../support/scene.ts';
import { commandEnv, ROOT, runSallyport, type Outcome } from './command-line.ts';
import { lacks } from '../support/missing-tools.ts';

const API = 'api.example.test';
const OTHER = 'other.example.test';
const key = mintCanary();
const otherKey = mintCanary();
let scene: Scene;
let temporary = '';

beforeAll(async () => {
  scene = await startScene({ names: [API, OTHER] });
  await scene.product.createSecret('api', key, { auth: { type: 'bearer' }, hosts: [API] });
  await scene.product.createSecret('other', otherKey, { auth: { type: 'bearer' }, hosts: [OTHER] });
});
afterAll(() => scene[Symbol.asyncDispose]());
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'sallyport-run-test-'));
  return () => rmSync(temporary, { recursive: true, force: true });
});

function environment(): Record<string, string> {
  const { admin } = scene.product;
  return { SALLYPORT_URL: admin.origin, SALLYPORT_API_KEY: admin.key, TMPDIR: temporary };
}

function run(args: readonly string[]): Promise<Outcome> {
  return runSallyport(['run', ...args], { env: environment() });
}

async function expectNothingLeft(): Promise<void> {
  expect((await scene.product.admin.get('/sandboxes')).json).toEqual([]);
  expect(readdirSync(temporary)).toEqual([]);
}

describe('sallyport run', () => {
  test.skipIf(lacks('curl'))('curl uses a secret that it does not hold', async () => {
    const script = `curl -sS https://${API}/hello; echo; echo "$API"; env; cat "$SSL_CERT_FILE" | wc -c`;
    const { code, stdout, stderr } = await run(['--secret', 'api', '--', 'sh', '-c', script]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout.split('\n')[0]).toBe('{"ok":true}');
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${key}`]);
    expect(stdout).toMatch(/^API=\S{20,}$/m);
    expect(stdout).toMatch(/^HTTPS_PROXY=http:\/\/127\.0\.0\.1:\d+$/m);
    expect(stdout).toMatch(/^JAVA_TOOL_OPTIONS=.*-Dhttps\.proxyPort=\d+ /m);
    for (const hidden of [key, 'sp_live_', 'sp_box_', 'SALLYPORT_API_KEY']) {
      expect(stdout).not.toContain(hidden);
    }
    await expectNothingLeft();
  });

  test.skipIf(lacks('curl'))('a placeholder for one host is refused at another', async () => {
    const script = `curl -sS -H "Authorization: Bearer $TOKEN" https://${OTHER}/`;
    const bound = ['--secret', 'api=TOKEN', '--secret', 'other'];
    const before = scene.origin.requests.length;
    const { stdout } = await run([...bound, '--', 'sh', '-c', script]);
    expect(stdout).toContain('credential_host_mismatch');
    expect(scene.origin.requests).toHaveLength(before);
  });

  test('--all binds every usable secret', async () => {
    const { stdout } = await run(['--all', '--', 'sh', '-c', 'echo "$API $OTHER"']);
    expect(stdout).toMatch(/^\S{20,} \S{20,}\n$/);
  });

  test.skipIf(lacks('curl'))(
    'a host outside --allow-out is refused on the CONNECT, with its reason',
    async () => {
      const script = `curl -sS https://${OTHER}/ 2>&1; curl -sS https://${API}/`;
      const narrowed = ['--secret', 'api', '--allow-out', API];
      const { stdout } = await run([...narrowed, '--', 'sh', '-c', script]);
      expect(stdout).toContain('CONNECT tunnel failed, response 403');
      expect(stdout).toContain('{"ok":true}');
    },
  );

  test.each([
    [['sh', '-c', 'exit 37'], 37],
    [['sh', '-c', 'kill -KILL $$'], 137],
    [['/not/there'], 127],
    [['/'], 126],
  ])('%j ends with %i, and the sandbox is gone', async (command, code) => {
    const outcome = await run(['--secret', 'api', '--', ...command]);
    expect(outcome.code).toBe(code);
    await expectNothingLeft();
  });

  test('options after the command belong to the command', async () => {
    const { stdout } = await run(['--secret', 'api', 'echo', '--json', '--secret', 'x']);
    expect(stdout).toBe('--json --secret x\n');
  });

  test('an unknown secret is said, and nothing is left', async () => {
    const { code, stderr } = await run(['--secret', 'nope', '--', 'true']);
    expect(stderr).toMatch(/^sallyport: creating the sandbox: .*secret_not_found/);
    expect(code).toBe(8);
    await expectNothingLeft();
  });

  test('a signal reaches the command, whose answer is passed on', async () => {
    const script = `trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.05; done`;
    const main = join(ROOT, 'cli/main.ts');
    const child = spawn(
      process.execPath,
      [main, 'run', '--secret', 'api', '--', 'sh', '-c', script],
      {
        cwd: ROOT,
        env: commandEnv(environment()),
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said === 'ready\n') child.kill('SIGTERM');
    });
    const [code] = (await once(child, 'close')) as [number | null];
    expect(said).toBe('ready\ncaught\n');
    expect(code).toBe(5);
    await expectNothingLeft();
    expect(existsSync(temporary)).toBe(true);
  });

  test('I3: no value in any output, answer or file of the server', async () => {
    await expect(scene.product.assertNoLeak([key, otherKey])).resolves.toBeUndefined();
  });
});
