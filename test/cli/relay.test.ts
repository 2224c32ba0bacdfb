/** `sallyport relay` from outside: a client without credentials works through it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { valuesOf } from '../support/origin.ts';
import { startScene } from '../support/scene.ts';
import { commandEnv, ROOT, runProgram } from './command-line.ts';
import { lacks } from '../support/missing-tools.ts';

test.skipIf(lacks('curl'))(
  'the relay adds the token that it read from standard input, and ends with 0',
  async () => {
    const host = 'api.example.test';
    await using scene = await startScene({ names: [host] });
    const { product } = scene;
    const key = 'not-a-real-key-relay';
    await product.createSecret('api', key, { auth: { type: 'bearer' }, hosts: [host] });
    const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
    const upstream = `${product.proxy.host}:${product.proxy.port}`;
    const relay = spawn(
      process.execPath,
      [join(ROOT, 'cli/main.ts'), 'relay', '--json', '--upstream', upstream],
      { env: commandEnv(), stdio: ['pipe', 'pipe', 'inherit'] },
    );
    relay.stdin.end(`${sandbox.token}\n`);
    const [line] = (await once(relay.stdout, 'data')) as [Buffer];
    const { url } = JSON.parse(line.toString()) as { url: string };
    const ca = join(product.directory, 'ca.pem');
    const got = await runProgram('curl', ['-sS', '-x', url, '--cacert', ca, `https://${host}/`]);
    expect(got.stderr).toBe('');
    expect(got.stdout).toBe('{"ok":true}');
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${key}`]);
    const ended = once(relay, 'exit');
    relay.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  },
);
