/** `sallyport serve` as a process: the ready line, the first start, signals. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dialProxy } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { Origin, valuesOf } from '../support/origin.ts';
import { endless, reply } from '../support/origin-replies.ts';
import { startScene } from '../support/scene.ts';
import { TestAuthority } from '../support/test-authority.ts';
import { FIRST_HOST } from '../../cli/first-steps.ts';
import { commandEnv, ROOT, runProgram, runSallyport } from './command-line.ts';
import { lacks } from '../support/missing-tools.ts';

let directory = '';
let server: ChildProcess | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-serve-'));
});
afterEach(async () => {
  if (server !== undefined && server.exitCode === null && server.signalCode === null) {
    server.kill('SIGKILL');
    await once(server, 'exit');
  }
  rmSync(directory, { recursive: true, force: true });
});

/** Starts `serve` in the clone and resolves with what it printed once `marker` was seen. */
async function serve(
  args: readonly string[],
  settings: object,
  marker: string,
  onComplaint: (text: string) => void = () => undefined,
): Promise<string> {
  const config = join(directory, 'settings.json');
  const base = {
    data_dir: join(directory, 'data'),
    proxy: { listen: '127.0.0.1:0' },
    admin: { listen: '127.0.0.1:0' },
    ...settings,
  };
  writeFileSync(config, JSON.stringify(base));
  const child = spawn(
    process.execPath,
    [join(ROOT, 'cli/main.ts'), 'serve', '--config', config, ...args],
    { cwd: ROOT, env: commandEnv(), stdio: ['ignore', 'pipe', 'pipe'] },
  );
  server = child;
  let printed = '';
  let complained = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complained += chunk.toString();
    onComplaint(chunk.toString());
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.includes(marker)) resolve();
    });
    child.once('close', () => reject(new Error(`it ended:\n${printed}${complained}`)));
  });
  return printed;
}

async function endWith(signal: NodeJS.Signals): Promise<unknown[]> {
  if (server === undefined) throw new Error('nothing was started');
  const ended = once(server, 'exit');
  server.kill(signal);
  return ended;
}

describe('sallyport serve', () => {
  test('--ready-json prints exactly one line once both accept; SIGTERM ends with 0', async () => {
    const printed = await serve(['--ready-json'], {}, '\n');
    expect(printed).toMatch(
      /^\{"event":"ready","proxy":"127\.0\.0\.1:\d+","admin":"127\.0\.0\.1:\d+"\}\n$/,
    );
    const { proxy, admin } = JSON.parse(printed) as { proxy: string; admin: string };
    for (const address of [proxy, admin]) {
      expect((await fetch(`http://${address}/healthz`)).status).toBe(200);
    }
    expect(await endWith('SIGTERM')).toEqual([0, null]);
  });

  test('--ready-json shows the first admin key on standard error, once', async () => {
    let complained = '';
    const start = (): Promise<string> =>
      serve(['--ready-json'], {}, '\n', (text) => (complained += text));
    expect(await start()).not.toContain('sp_live_');
    await eventually(() => expect(complained).toMatch(/Admin key, shown this once: {2}sp_live_/));
    await endWith('SIGTERM');
    complained = '';
    await start();
    await endWith('SIGTERM');
    expect(complained).not.toContain('sp_live_');
  });

  test('SIGINT ends with 0 too, and a second start shows no key', async () => {
    const first = await serve([], {}, 'Control-C');
    expect(first).toMatch(/Admin key, shown this once: {2}sp_live_\S{32,}/);
    expect(await endWith('SIGINT')).toEqual([0, null]);
    const second = await serve([], {}, 'Control-C');
    expect(second).toContain('Sallyport proxy    http://127.0.0.1:');
    expect(second).not.toContain('sp_live_');
  });

  test('the first signal waits for an exchange in flight, the second does not', async () => {
    const host = 'api.example.test';
    await using scene = await startScene({
      names: [host],
      handlers: { '/endless': endless() },
      settings: { limits: { drain_timeout_ms: 600_000 } },
    });
    const { product } = scene;
    const auth = { auth: { type: 'bearer' }, hosts: [host] };
    await product.createSecret('api', 'not-a-real-key-1', auth);
    const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
    using tunnel = await product.openTunnel(sandbox, `${host}:443`);
    tunnel.sendRequest({ method: 'GET', path: '/endless' });
    expect((await tunnel.readHead()).status).toBe(200);
    const { pid } = product;
    process.kill(pid, 'SIGTERM');
    // It stopped accepting, so it got the signal; and it is still there.
    await eventually(async () => {
      await expect(dialProxy(product.proxy)).rejects.toThrow('ECONNREFUSED');
    });
    expect(() => process.kill(pid, 0)).not.toThrow();
    // The second signal; rejects unless it ends by itself with 0.
    await expect(product.stop()).resolves.toBeUndefined();
  });

  test.skipIf(lacks('curl', 'bash'))(
    'the three lines of a first start work when pasted into another shell',
    async () => {
      const authority = new TestAuthority();
      const leaf = authority.mintLeaf([FIRST_HOST]);
      await using origin = await Origin.start({
        leaf,
        handlers: { '/bearer': reply(200, '{"authenticated":true}') },
      });
      const extraCa = join(directory, 'origin-ca.pem');
      writeFileSync(extraCa, authority.caPem);
      const printed = await serve(
        [],
        {
          egress: {
            hosts: { [FIRST_HOST]: origin.address },
            allow_private: ['127.0.0.1/32'],
            extra_ca: [extraCa],
          },
        },
        'Control-C',
      );
      const lines = printed.split('\n').filter((line) => line.startsWith('  '));
      expect(lines).toHaveLength(3);
      const pasted = await runProgram('bash', ['-s'], {
        input: `${lines.join('\n')}\n`,
        env: { TMPDIR: directory },
      });
      expect(pasted.stdout).toContain('created secret first');
      expect(pasted.stdout).toContain('{"authenticated":true}');
      expect(valuesOf(origin.last.rawHeaders, 'authorization')).toEqual([
        'Bearer not-a-real-key-1',
      ]);
    },
  );

  test('a port that is taken is said in one sentence', async () => {
    const printed = await serve(['--ready-json'], {}, '\n');
    const { proxy } = JSON.parse(printed) as { proxy: string };
    const listen = ['--proxy-listen', proxy, '--admin-listen', '127.0.0.1:0'];
    const second = await runSallyport(['serve', '--data-dir', join(directory, 'other'), ...listen]);
    expect(second.code).toBe(3);
    expect(second.stderr).toContain(proxy);
    expect(second.stderr).not.toContain('    at ');
  });
});
