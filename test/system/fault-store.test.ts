/**
 * A store that dies, drags, or takes no events, under traffic. Who is warm goes on, who is not is refused (I8),
 * what may have changed unsaid is read anew, and every event is stored once or counted as dropped (I4). What a
 * locked database and a full disk do is in `faults.test.ts`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import SqliteFile from 'better-sqlite3';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EXIT_CODES } from '../../cli/exit-codes.ts';
import { RemoteStore } from '../../src/store/remote-store.ts';
import { StoreFailure } from '../../src/store/messages.ts';
import type { StoreAnswer } from '../../src/store/messages.ts';
import { runProgram, ROOT } from '../cli/command-line.ts';
import { mintCanary } from '../support/canary.ts';
import { openTunnel, sendConnect } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import { composeScene } from '../support/composed-scene.ts';
import type { ComposedScene } from '../support/composed-scene.ts';
import { eventually } from '../support/eventually.ts';
import { lacks } from '../support/missing-tools.ts';
import { Origin } from '../support/origin.ts';
import type { TestSandbox } from '../support/product.ts';
import { outcomeOf } from '../support/refusal.ts';
import { TestAuthority } from '../support/test-authority.ts';

const HOST = 'api.example.test';
const QUEUE_MAX = 20;
/** Called with their objects as `this`. */
// oxlint-disable-next-line typescript/unbound-method
const realPost = Worker.prototype.postMessage;
// oxlint-disable-next-line typescript/unbound-method
const realAsk = RemoteStore.prototype.ask;
// oxlint-disable-next-line typescript/unbound-method
const realReceive = RemoteStore.prototype.receive;

let origin: Origin;
let scene: ComposedScene;
let storeThread: Worker;
let methodOf: Map<number, string>;

beforeEach(async () => {
  methodOf = new Map();
  const authority = new TestAuthority();
  origin = await Origin.start({ leaf: authority.mintLeaf([HOST]) });
  vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function post(
    this: Worker,
    ...args
  ) {
    // oxlint-disable-next-line typescript/no-this-alias -- the thread is what the tests end
    storeThread = this;
    const { id, method = '' } = args[0] as { readonly id: number; readonly method?: string };
    methodOf.set(id, method);
    realPost.apply(this, args);
  });
  scene = await composeScene({
    hosts: { [HOST]: origin.address },
    originCa: authority.caPem,
    settings: { 'limits.audit_queue_max': QUEUE_MAX },
  });
  const auth = { type: 'bearer' };
  const value = mintCanary();
  await scene.admin.must('POST', '/secrets', { name: 'api', value, auth, hosts: [HOST] });
});

afterEach(async () => {
  await scene[Symbol.asyncDispose]();
  await origin.close();
  vi.restoreAllMocks();
});

const planOf = ({ token }: TestSandbox) => ({
  proxy: scene.proxy,
  authority: `${HOST}:443`,
  token,
});

const open = (sandbox: TestSandbox): Promise<HttpConnection> =>
  openTunnel({ ...planOf(sandbox), ca: scene.caPem });

async function connectOutcome(sandbox: TestSandbox): Promise<string> {
  using answer = await sendConnect(planOf(sandbox));
  return `${answer.response.status} ${answer.response.reason}`;
}

async function countRows({ id }: TestSandbox): Promise<number> {
  const answer = await scene.admin.must('GET', `/sandboxes/${id}/network?limit=1000`);
  return (answer as { readonly data: readonly unknown[] }).data.length;
}

const readyStatus = async (): Promise<number> => (await scene.admin.get('/readyz')).status;

test('I4 I8 its thread dies: warm traffic goes on, cold is refused, another thread takes over', async () => {
  const warm = await scene.createSandbox({ KEY: 'api' });
  const cold = await scene.createSandbox({ KEY: 'api' });
  using tunnel = await open(warm);
  expect((await tunnel.request({ path: '/before' })).status).toBe(200);
  await storeThread.terminate();
  // No other thread can open the database for now.
  const lock = new SqliteFile(path.join(scene.dataDirectory, 'sallyport.db.lock'));
  lock.exec('begin exclusive');
  try {
    expect(await readyStatus()).toBe(503);
    origin.clear();
    expect(await connectOutcome(cold)).toBe('503 policy_unavailable');
    expect(origin.requests).toEqual([]);
    expect((await tunnel.request({ path: '/during' })).status).toBe(200);
    expect((await scene.admin.get('/secrets')).status).toBe(500);
  } finally {
    lock.exec('commit');
    lock.close();
  }
  await eventually(async () => expect(await readyStatus()).toBe(200), 10_000);
  expect(await connectOutcome(cold)).toMatch(/^200 /);
  expect((await tunnel.request({ path: '/after' })).status).toBe(200);
  await eventually(async () => expect(await countRows(warm)).toBe(3), 8_000);
  await scene.admin.must('PATCH', '/secrets/api', { description: 'written again' });
});

test('I2 I8 it dies between the deletion of a secret and the answer: the secret is used no more', async () => {
  const sandbox = await scene.createSandbox({ KEY: 'api' });
  using tunnel = await open(sandbox);
  expect((await tunnel.request({ path: '/before' })).status).toBe(200);
  vi.spyOn(RemoteStore.prototype, 'receive').mockImplementation(function receive(
    this: RemoteStore,
    message: StoreAnswer,
  ) {
    const method = 'id' in message ? methodOf.get(message.id) : undefined;
    if (method === 'deleteSecret') void storeThread.terminate();
    else realReceive.call(this, message);
  });
  origin.clear();
  expect((await scene.admin.delete('/secrets/api')).status).toBe(500);
  await eventually(async () => {
    expect(outcomeOf(await tunnel.request({ path: '/after' }))).toBe('503 credential_revoked');
  }, 8_000);
  expect(origin.requests).toEqual([]);
});

test('I4 every call takes its time: requests and admins are served, events are stored', async () => {
  vi.spyOn(RemoteStore.prototype, 'ask').mockImplementation(async function ask(
    this: RemoteStore,
    ...args
  ) {
    await new Promise((resolve) => setTimeout(resolve, 150));
    return realAsk.apply(this, args);
  });
  const sandbox = await scene.createSandbox({ KEY: 'api' });
  using tunnel = await open(sandbox);
  const answers = [await tunnel.request({ path: '/1' }), await tunnel.request({ path: '/2' })];
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  await eventually(async () => expect(await countRows(sandbox)).toBe(2), 5_000);
});

test('I4 I7 the queue of the trail is full: traffic goes on, and what is dropped is counted', async () => {
  const sandbox = await scene.createSandbox({ KEY: 'api' });
  using tunnel = await open(sandbox);
  const refusing = vi.spyOn(RemoteStore.prototype, 'ask').mockImplementation(function ask(
    this: RemoteStore,
    ...args
  ) {
    if (args[0] === 'audit.appendEvents') return Promise.reject(new StoreFailure('injected'));
    return realAsk.apply(this, args);
  });
  const sent = QUEUE_MAX + 15;
  for (let i = 0; i < sent; i += 1) {
    expect((await tunnel.request({ path: `/${i}` })).status).toBe(200);
  }
  refusing.mockRestore();
  await eventually(async () => {
    const text = (await scene.admin.get('/metrics')).text;
    const dropped = Number(/^sallyport_audit_dropped_total (\d+)$/m.exec(text)?.[1]);
    expect(dropped).toBeGreaterThanOrEqual(15);
    expect((await countRows(sandbox)) + dropped).toBe(sent);
  }, 10_000);
});

test('I8 pages overwritten behind its back: coded answers, whatever thread is asked', async () => {
  const file = path.join(scene.dataDirectory, 'sallyport.db');
  const sandbox = await scene.createSandbox({ KEY: 'api' });
  await storeThread.terminate();
  const bytes = readFileSync(file);
  bytes.fill(0xa5, 2 * 4_096);
  writeFileSync(file, bytes);
  for (const log of ['-wal', '-shm']) rmSync(file + log, { force: true });
  // Before and after another thread was started on it.
  for (let i = 0; i < 6; i += 1) {
    expect(await connectOutcome(sandbox)).toBe('503 policy_unavailable');
    expect((await scene.admin.get('/secrets')).status).toBe(500);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
});

test.skipIf(lacks('prlimit'))('a start on a disk without room says so', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-full-'));
  const serve = [path.join(ROOT, 'cli/main.ts'), 'serve', '--set', `data_dir=${directory}`];
  const listen = ['--set', 'proxy.listen=127.0.0.1:0', '--set', 'admin.listen=127.0.0.1:0'];
  const { code, stderr } = await runProgram('prlimit', [
    '--fsize=8192',
    process.execPath,
    ...serve,
    ...listen,
  ]);
  rmSync(directory, { recursive: true, force: true });
  expect(stderr).toMatch(/^sallyport: There is no space left for the database .*sallyport\.db/m);
  expect(code).toBe(EXIT_CODES.settings);
});
