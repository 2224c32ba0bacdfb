/** The administering commands from outside, against the real product. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { valuesOf } from '../support/origin.ts';
import { startScene, type Scene } from '../support/scene.ts';
import { commandEnv, runProgram, runSallyport, type Outcome } from './command-line.ts';
import { lacks } from '../support/missing-tools.ts';

const HOST = 'api.example.test';
const value = mintCanary();
const rotated = mintCanary();
let scene: Scene;
let directory = '';
let connection: Record<string, string> = {};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-cli-'));
  scene = await startScene({ names: [HOST] });
  const { admin } = scene.product;
  connection = { SALLYPORT_URL: admin.origin, SALLYPORT_API_KEY: admin.key };
});
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await scene[Symbol.asyncDispose]();
});

function sallyport(args: readonly string[], input = ''): Promise<Outcome> {
  return runSallyport(args, { env: connection, input });
}

async function sallyportJson<T>(args: readonly string[], input = ''): Promise<T> {
  const { code, stdout, stderr } = await sallyport([...args, '--json'], input);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout) as T;
}

/** curl with the environment that `sandbox create --export` printed. */
function curl(exports: string, command: string): Promise<Outcome> {
  return runProgram('sh', ['-c', `${exports}\n${command}`]);
}

describe.skipIf(lacks('curl'))('one story', () => {
  let exports = '';

  test('a secret is created from standard input, without its line end', async () => {
    const create = ['secret', 'create', 'api', '--bearer', '--host', HOST];
    const { code, stdout, stderr } = await sallyport(create, `${value}\n`);
    expect(stderr).toBe('');
    expect(stdout).toContain(`created secret api (version 1) for ${HOST}`);
    expect(code).toBe(0);
  });

  test('creating it again is a conflict, said in words', async () => {
    const create = ['secret', 'create', 'api', '--bearer', '--host', HOST];
    const { code, stderr } = await sallyport(create, value);
    expect(stderr).toMatch(/^sallyport: creating secret api: .*\(409 conflict\)/);
    expect(code).toBe(7);
  });

  test('a sandbox is created and its environment works in a shell', async () => {
    const create = ['sandbox', 'create', 'agent', '--secret', 'api=API_KEY', '--env', "WORD=it's"];
    const made = await sallyport([...create, '--export', '--dir', join(directory, 'ca')]);
    expect(made.stderr).toBe('');
    exports = made.stdout;
    const { stdout, stderr } = await curl(
      exports,
      `curl -sS https://${HOST}/one && echo && echo "$WORD" && cat "$NODE_EXTRA_CA_CERTS"`,
    );
    expect(stderr).toBe('');
    expect(stdout).toContain(`{"ok":true}\nit's\n-----BEGIN CERTIFICATE-----`);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
  });

  test('rotating holds for the next request', async () => {
    const file = join(directory, 'value');
    writeFileSync(file, `${rotated}\r\n`);
    const done = await sallyport(['secret', 'rotate', 'api', '--value-file', file]);
    expect(done.stdout).toContain('rotated secret api (version 2)');
    await curl(exports, `curl -sS https://${HOST}/two`);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${rotated}`]);
  });

  test('lists and shows say what is there and never the value', async () => {
    const list = await sallyport(['secret', 'list']);
    expect(list.stdout).toMatch(
      /^NAME +AUTH +PROVIDER +VERSION +LAST USED +HOSTS\napi +bearer +- +2 /,
    );
    const show = await sallyport(['secret', 'show', 'api']);
    expect(show.stdout).toMatch(/^last used +\d{4}-\d\d-\d\dT/m);
    const sandboxes = await sallyport(['sandbox', 'list']);
    expect(sandboxes.stdout).toMatch(/^agent +[0-9a-f-]{36} +active .*API_KEY=api/m);
    const sandbox = await sallyport(['sandbox', 'show', 'agent']);
    expect(sandbox.stdout).toMatch(/^secrets +API_KEY=api$/m);
    const providers = await sallyport(['provider', 'list']);
    expect(providers.stdout).toMatch(
      /^github +per_host +ghp_\.\.\. +api\.github\.com github\.com$/m,
    );
  });

  test('audit and network log show the requests', async () => {
    await eventually(async () => {
      const { stdout } = await sallyport(['audit', 'api']);
      expect(stdout).toMatch(/agent +GET api\.example\.test\/two +200 +200 +\d+ +2/);
      expect(stdout).toMatch(/agent +GET api\.example\.test\/one +200 +200 +\d+ +1/);
    });
    const { stdout } = await sallyport(['audit', '--sandbox', 'agent']);
    expect(stdout).toMatch(/request +GET api\.example\.test\/two +200/);
  });

  test('explain says what would happen, and ends with 9 for a refusal', async () => {
    const allowed = await sallyport(['explain', `https://${HOST}/x`, '--sandbox', 'agent']);
    expect(allowed.stdout).toMatch(/^decision +allow$/m);
    expect(allowed.stdout).toMatch(/^api +API_KEY +won /m);
    expect(allowed.code).toBe(0);
    const denied = await sallyport(['explain', 'https://127.0.0.1:3/', '--sandbox', 'agent']);
    expect(denied.stdout + denied.stderr).toMatch(/decision +(deny|tunnel)/);
    const guarded = ['explain', 'https://169.254.169.254/', '--sandbox', 'agent', '--json'];
    const refused = await sallyport(guarded);
    expect(JSON.parse(refused.stdout)).toMatchObject({ code: 'internal_address_denied' });
    expect(refused.code).toBe(9);
  });

  test('widening asks for the value, and says how to give it', async () => {
    const widen = ['secret', 'update', 'api', '--host', HOST, '--host', 'more.example.test'];
    const without = await sallyport(widen);
    expect(without.stderr).toContain('(400 value_required)');
    expect(without.stderr).toMatch(/^hint: .*--value-stdin/m);
    const withValue = await sallyport([...widen, '--value-stdin'], rotated);
    expect(withValue.stderr).toBe('');
    expect(withValue.stdout).toContain(`updated secret api`);
  });

  test('who may use it and until when can be said and taken back', async () => {
    const create = ['secret', 'create', 'timed', '--query', 'key', '--host', 'timed.example.test'];
    const made = await sallyport([...create, '--workspace', 'default', '--disable'], value);
    expect([made.stderr, made.code]).toEqual(['', 0]);
    const read = () => scene.product.admin.must('GET', '/secrets/timed');
    expect(await read()).toMatchObject({
      auth_kind: 'query',
      disabled: true,
      allowed_workspaces_type: 'SOME',
    });
    const expires = '2099-01-31T00:00:00.000Z';
    await sallyport(['secret', 'update', 'timed', '--enable', '--expires', expires]);
    const shown = (await sallyport(['secret', 'show', 'timed'])).stdout;
    expect(shown).toMatch(/^disabled +no$/m);
    expect(shown).toContain(expires);
    await sallyport(['secret', 'update', 'timed', '--any-workspace', '--expires', 'never']);
    expect(await read()).toMatchObject({ allowed_workspaces_type: 'ALL', expires_at: null });
    const both = await sallyport(['secret', 'update', 'timed', '--enable', '--disable']);
    expect(both.code).toBe(2);
  });

  test('attach, detach, env and token', async () => {
    await sallyport(['secret', 'create', 'gh', '--provider', 'github'], mintCanary());
    const attached = await sallyport(['sandbox', 'attach', 'agent', 'gh=GH_TOKEN']);
    expect(attached.stdout).toMatch(/^GH_TOKEN=ghp_\w{36}\n$/);
    const env = await sallyport(['env', 'agent', '--ca-dir', join(directory, 'env')]);
    expect(env.stdout).toContain(attached.stdout.trim());
    expect(env.stdout).toMatch(/HTTPS_PROXY=\S*:TOKEN@/);
    expect(existsSync(join(directory, 'env/ca-bundle.pem'))).toBe(true);
    expect((await sallyport(['sandbox', 'detach', 'agent', 'GH_TOKEN'])).code).toBe(0);
    expect((await sallyport(['sandbox', 'detach', 'agent', 'GH_TOKEN'])).code).toBe(6);
    const { proxy_token: token } = await sallyportJson<{ proxy_token: string }>([
      'sandbox',
      'token',
      'agent',
    ]);
    writeFileSync(join(directory, 'token'), `${token}\n`);
    const old = await curl(exports, `curl -sS https://${HOST}/three 2>&1`);
    expect(old.stdout).toContain('407');
    const tokenFile = join(directory, 'token');
    const files = ['--ca-dir', join(directory, 'env'), '--token-file', tokenFile];
    const renewed = await sallyport(['env', 'agent', ...files]);
    expect((await curl(renewed.stdout, `curl -sS https://${HOST}/`)).stdout).toBe('{"ok":true}');
  });

  test('the CA can be exported', async () => {
    const { stdout } = await sallyport(['ca', 'export']);
    expect(stdout).toBe(scene.product.caPem);
    const file = join(directory, 'bundle.pem');
    await sallyport(['ca', 'export', '--bundle', '--out', file]);
    const bundle = readFileSync(file, 'utf8');
    expect(bundle).toContain(scene.product.caPem.trim());
    expect(bundle.match(/BEGIN CERTIFICATE/g)?.length).toBeGreaterThan(10);
  });

  test('a backup is taken while the server runs, and never over a file', async () => {
    const file = join(directory, 'backup.db');
    const backup = ['backup', file, '--config', scene.product.configFile];
    const made = await runSallyport(backup);
    expect(made.stderr).toBe('');
    expect(made.code).toBe(0);
    expect(readFileSync(file).subarray(0, 15).toString()).toBe('SQLite format 3');
    const key = readFileSync(join(scene.product.dataDirectory, 'master.key'));
    expect(readFileSync(file).includes(Buffer.from(key.toString().trim(), 'base64'))).toBe(false);
    expect((await runSallyport(backup)).code).toBe(7);
  });

  test('deleted things are gone', async () => {
    expect((await sallyport(['sandbox', 'delete', 'agent'])).code).toBe(0);
    expect((await sallyport(['sandbox', 'show', 'agent'])).code).toBe(6);
    expect((await sallyport(['secret', 'delete', 'api'])).code).toBe(0);
    expect((await sallyport(['secret', 'show', 'api'])).code).toBe(6);
  });

  test('health needs no key, everything else does', async () => {
    const { SALLYPORT_URL = '' } = connection;
    expect((await runSallyport(['health'], { env: { SALLYPORT_URL } })).stdout).toBe('healthy\n');
    const keyless = await runSallyport(['secret', 'list'], { env: { SALLYPORT_URL } });
    expect(keyless.code).toBe(5);
    expect(keyless.stderr).toMatch(/^hint: .*SALLYPORT_API_KEY/m);
    const keyFile = join(directory, 'key');
    writeFileSync(keyFile, `${connection['SALLYPORT_API_KEY']}\n`);
    const named = await runSallyport(['secret', 'list', '--api-key-file', keyFile], {
      env: { SALLYPORT_URL },
    });
    expect(named.code).toBe(0);
  });

  test('I3: no value in any output, answer or file of the server', async () => {
    await expect(scene.product.assertNoLeak([value, rotated])).resolves.toBeUndefined();
  });
});

describe.skipIf(lacks('script'))('the prompt', () => {
  test('does not show what is typed, and understands erasing', async () => {
    const typed = mintCanary();
    const main = join(import.meta.dirname, '../../cli/main.ts');
    const create = `secret create typed --bearer --host typed.example.test`;
    const child = spawn('script', ['-qec', `${process.execPath} ${main} ${create}`, '/dev/null'], {
      env: commandEnv(connection),
    });
    let shown = '';
    child.stdout.on('data', (chunk: Buffer) => {
      if (!shown.includes('value of') && chunk.includes('value of')) {
        child.stdin.write(`${typed}x\u007f\r`);
      }
      shown += chunk.toString();
    });
    await once(child, 'close');
    expect(shown).toContain('value of typed: ');
    expect(shown).toContain('created secret typed');
    expect(shown).not.toContain(typed);
    await scene.product.assertNoLeak(typed);
  });
});
