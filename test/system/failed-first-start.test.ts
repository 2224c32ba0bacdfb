/**
 * A first start that fails half-way, on a port that is taken, must not use up the admin key: the next start
 * is the first one that says it, and it opens the admin API.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EXIT_CODES } from '../../cli/exit-codes.ts';
import { commandEnv, ROOT, runSallyport } from '../cli/command-line.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-first-start-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

function serveArgs(listeners: Readonly<Record<string, string>>): readonly string[] {
  const all = { proxy: '127.0.0.1:0', admin: '127.0.0.1:0', ...listeners };
  const flags = Object.entries(all).flatMap(([plane, at]) => ['--set', `${plane}.listen=${at}`]);
  return ['serve', '--set', `data_dir=${join(directory, 'data')}`, ...flags];
}

test.each([
  ['proxy', 'The proxy'],
  ['admin', 'The admin API'],
  ['metrics', 'The metrics listener'],
])(
  '%s.listen taken: said by its name, and the next start shows the key',
  async (plane, subject) => {
    const squatter = net.createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const taken = `127.0.0.1:${(squatter.address() as net.AddressInfo).port}`;
    const failed = await runSallyport(serveArgs({ [plane]: taken }));
    squatter.close();
    expect(failed.code).toBe(EXIT_CODES.settings);
    expect(failed.stdout).toBe('');
    expect(failed.stderr).toContain(`${subject} cannot listen on ${taken}: EADDRINUSE.`);
    expect(failed.stderr).toContain(`hint: Choose another address with ${plane}.listen`);

    const args = [join(ROOT, 'cli/main.ts'), ...serveArgs({})];
    const server = spawn(process.execPath, args, { cwd: ROOT, env: commandEnv() });
    let printed = '';
    for await (const chunk of server.stdout as AsyncIterable<Buffer>) {
      printed += chunk.toString();
      if (printed.includes('Control-C stops it.')) break;
    }
    const key = /^Admin key, shown this once: {2}(sp_live_\S+)$/m.exec(printed)?.[1] ?? '';
    const url = /^Sallyport admin +(\S+)$/m.exec(printed)?.[1] ?? '';
    const listed = await runSallyport(['secret', 'list', '--json', '--url', url], {
      env: { SALLYPORT_API_KEY: key },
    });
    server.kill();
    await once(server, 'exit');
    expect(listed).toMatchObject({ code: 0, stdout: '[]\n' });
  },
);
