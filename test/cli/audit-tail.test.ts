/** `sallyport audit tail`, from outside, against the real product. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readEvents } from '../../cli/event-stream.ts';
import { sendConnect } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene, type Scene } from '../support/scene.ts';
import { commandEnv, ROOT, runSallyport } from './command-line.ts';

let scene: Scene;
let one: TestSandbox;
let two: TestSandbox;
let env: Record<string, string>;

beforeAll(async () => {
  scene = await startScene({ names: ['api.example.test'] });
  const { admin } = scene.product;
  env = { SALLYPORT_URL: admin.origin, SALLYPORT_API_KEY: admin.key };
  const network = { deny_out: ['0.0.0.0/0'] };
  one = await scene.product.createSandbox({ name: 'one', network });
  two = await scene.product.createSandbox({ name: 'two', network });
});

afterAll(() => scene[Symbol.asyncDispose]());

/** A refused connection: one event. */
async function connect(sandbox: TestSandbox, host: string): Promise<void> {
  const { proxy } = scene.product;
  const plan = { proxy, authority: `${host}:443`, token: sandbox.token };
  using refused = await sendConnect(plan);
  expect(refused.response.status).toBe(403);
}

test('prints the latest events, oldest first, of all sandboxes or one', async () => {
  await connect(one, 'a.example.test');
  await connect(two, 'b.example.test');
  await eventually(async () => {
    const { stdout } = await runSallyport(['audit', 'tail'], { env });
    expect(stdout).toMatch(/ one  CONNECT a\.example\.test:443 .*\n.* two  CONNECT b\.example/);
  });
  const { stdout } = await runSallyport(['audit', 'tail', '--sandbox', 'two', '--json'], { env });
  const rows = stdout.trimEnd().split('\n');
  expect(rows.map((row) => (JSON.parse(row) as { host: string }).host)).toEqual(['b.example.test']);
});

test('follows', async () => {
  const args = [join(ROOT, 'cli/main.ts'), 'audit', 'tail', '--follow', '--sandbox', 'one'];
  const child = spawn(process.execPath, args, { env: commandEnv(env) });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  await eventually(() => expect(printed).toContain('a.example.test'), 10_000);
  await connect(two, 'c.example.test');
  await connect(one, 'd.example.test');
  await eventually(() => expect(printed).toContain('d.example.test'), 10_000);
  expect(printed).not.toContain('c.example.test');
  child.kill('SIGTERM');
  await once(child, 'exit');
});

test('--status and --follow together are refused as usage', async () => {
  const refused = await runSallyport(['audit', 'tail', '-f', '--status', '2xx'], { env });
  expect([refused.code, refused.stdout]).toEqual([2, '']);
});

test('events are read however the stream is cut', async () => {
  const text = 'retry: 2000\n: here\nid: 4\n\nid: 5\nevent: audit\ndata: {"a":1}\n\n';
  for (let at = 0; at < text.length; at += 1) {
    const pieces = (async function* () {
      yield text.slice(0, at);
      await Promise.resolve();
      yield text.slice(at);
    })();
    const events = [];
    for await (const event of readEvents(pieces)) events.push(event);
    expect(events).toEqual([
      { id: '4', data: null },
      { id: '5', data: '{"a":1}' },
    ]);
  }
});
