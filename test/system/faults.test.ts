/**
 * Broken on purpose: killed while writing, a locked database, a full disk, a thousand clients, signals.
 * After each: what was acknowledged is there, one audit event an exchange (I4), and
 * the next request works. What keeps it from starting at all is in `refused-starts.test.ts`.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import SqliteFile from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, sendConnect } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { valuesOf } from '../support/origin.ts';
import { endless, slow } from '../support/origin-replies.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { lacks } from '../support/missing-tools.ts';

const HOST = 'api.example.test';
const AUTH = { auth: { type: 'bearer' }, hosts: [HOST] };
let scene: Scene;
let product: Product;
const values: string[] = [];

function mintValue(): string {
  const value = mintCanary();
  values.push(value);
  return value;
}

beforeAll(async () => {
  scene = await startScene({
    names: [HOST],
    handlers: {
      '/slow': slow(700, 'late but whole'),
      '/endless': endless(),
    },
  });
  product = scene.product;
  await product.createSecret('api', mintValue(), AUTH);
});

afterAll(async () => {
  await product.assertNoLeak(values);
  await scene[Symbol.asyncDispose]();
});

interface Row {
  readonly id: number;
  readonly kind: string;
  readonly path?: string;
  readonly status?: number;
  readonly error_code?: string | null;
}

async function listRequests(sandbox: TestSandbox): Promise<Row[]> {
  const path = `/sandboxes/${sandbox.id}/network?limit=1000`;
  const { data } = (await product.admin.must('GET', path)) as { data: Row[] };
  return data.filter(({ kind }) => kind === 'request');
}

const open = (sandbox: TestSandbox): Promise<HttpConnection> =>
  product.openTunnel(sandbox, `${HOST}:443`);

async function expectServes(sandbox: TestSandbox): Promise<void> {
  using tunnel = await open(sandbox);
  const answer = await tunnel.request({ path: '/still-there' });
  if (answer.status !== 200) throw new Error(`no service: ${answer.status} ${answer.text()}`);
}

describe('kill -9 while writing', () => {
  interface Written {
    readonly versions: Map<string, string>;
    readonly rows: Row[];
  }

  /** Rotates secrets and sends requests until told to stop; resolves with what was acknowledged. */
  async function writeUntilKilled(
    sandbox: TestSandbox,
    names: readonly string[],
  ): Promise<Written> {
    const versions = new Map<string, string>();
    let rows: Row[] = [];
    const killed = new AbortController();
    const rotating = names.map(async (name) => {
      while (!killed.signal.aborted) {
        const value = mintValue();
        const answer = await product.admin.patch(`/secrets/${name}`, { value }).catch(() => null);
        if (answer?.status === 200) versions.set(name, value);
      }
    });
    const requesting = (async () => {
      using tunnel = await open(sandbox);
      for (let i = 0; !killed.signal.aborted; i += 1) {
        await tunnel.request({ path: `/n/${i}` }).catch(() => undefined);
        if (i % 5 === 4) rows = await listRequests(sandbox).catch(() => rows);
      }
    })();
    await delay(300 + Math.random() * 300);
    await product.kill();
    killed.abort();
    await Promise.all([...rotating, requesting]);
    return { versions, rows };
  }

  test('I4 acknowledged values, sandboxes and seen audit rows are there after the restart', async () => {
    for (let round = 0; round < 2; round += 1) {
      const names = [0, 1].map((i) => `killed_${round}_${i}`);
      for (const name of names) await product.createSecret(name, mintValue(), AUTH);
      const sandbox = await product.createSandbox({
        secrets: { KEY: 'api' },
      });
      const { versions, rows } = await writeUntilKilled(sandbox, names);
      expect(versions.size).toBe(2);
      await product.start();
      for (const [name, value] of versions) {
        const user = await product.createSandbox({ secrets: { KEY: name } });
        await expectServes(user);
        const [arrived = ''] = valuesOf(scene.origin.last.rawHeaders, 'authorization');
        // The last acknowledged one, or one whose acknowledgement the kill cut off.
        const known = values.indexOf(arrived.replace('Bearer ', ''));
        expect(known).toBeGreaterThanOrEqual(values.indexOf(value));
      }
      const kept = await listRequests(sandbox);
      expect(kept.filter(({ id }) => rows.some((row) => row.id === id))).toEqual(rows);
      await expectServes(sandbox);
      const after = await eventually(async () => {
        const all = await listRequests(sandbox);
        expect(all[0]?.path).toBe('/still-there');
        return all;
      });
      expect(new Set(after.map(({ id }) => id)).size).toBe(after.length);
    }
    const file = new SqliteFile(join(product.dataDirectory, 'sallyport.db'), { readonly: true });
    expect(file.pragma('integrity_check', { simple: true })).toBe('ok');
    file.close();
  }, 60_000);
});

/** Requests, an admin write, the same after `mend`: traffic never stops, no event is lost. */
async function expectSurvives(mend: () => void, sandbox: TestSandbox): Promise<void> {
  using tunnel = await open(sandbox);
  for (let i = 0; i < 20; i += 1) {
    expect((await tunnel.request({ path: `/during/${i}` })).status).toBe(200);
  }
  const refused = await product.admin.post('/secrets', {
    name: `unwritten_${sandbox.id.slice(0, 8)}`,
    value: mintValue(),
    ...AUTH,
  });
  expect([refused.status >= 500, refused.text.includes('SQLITE')]).toEqual([true, false]);
  expect((await tunnel.request({ path: '/last' })).status).toBe(200);
  mend();
  await eventually(async () => {
    expect(await listRequests(sandbox)).toHaveLength(21);
  }, 10_000);
  await product.createSecret(`written_${sandbox.id.slice(0, 8)}`, mintValue(), AUTH);
}

test('I4 a database locked by another program: traffic goes on, every event is there later', async () => {
  const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
  const other = new SqliteFile(join(product.dataDirectory, 'sallyport.db'));
  try {
    other.exec('begin immediate');
    await expect(expectSurvives(() => other.exec('commit'), sandbox)).resolves.toBeUndefined();
  } finally {
    other.close();
  }
}, 30_000);

test.skipIf(lacks('prlimit'))(
  'I4 a full disk: traffic goes on, writes are refused, every event is there later',
  async () => {
    const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
    // No file may grow: what a full disk is to a process, without filling one.
    const limitFiles = (bytes: string): void => {
      const args = ['--pid', String(product.pid), `--fsize=${bytes}`];
      const limited = spawnSync('prlimit', args, { encoding: 'utf8' });
      if (limited.status !== 0) throw new Error(`prlimit: ${limited.stderr}`);
    };
    limitFiles('1:');
    try {
      const survived = expectSurvives(() => limitFiles('unlimited:'), sandbox);
      await expect(survived).resolves.toBeUndefined();
    } finally {
      limitFiles('unlimited:');
    }
  },
  30_000,
);

test('I4 a thousand clients at once, one request each, one event each', async () => {
  const sandboxes = await Promise.all(
    Array.from({ length: 5 }, () => product.createSandbox({ secrets: { KEY: 'api' } })),
  );
  const statuses = await Promise.all(
    Array.from({ length: 1_000 }, async (_, i) => {
      const sandbox = sandboxes[i % 5];
      if (sandbox === undefined) throw new Error('no sandbox');
      using tunnel = await open(sandbox);
      return (await tunnel.request({ path: `/client/${i}`, timeoutMs: 25_000 })).status;
    }),
  );
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
  for (const sandbox of sandboxes) {
    await eventually(async () => {
      expect(await listRequests(sandbox)).toHaveLength(200);
    }, 5_000);
  }
}, 60_000);

describe('signals', () => {
  test('I4 SIGTERM: a response in flight arrives whole, nothing new is accepted, 0, and it is recorded', async () => {
    const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
    using tunnel = await open(sandbox);
    using idle = await open(sandbox);
    scene.origin.clear();
    tunnel.sendRequest({ path: '/slow' });
    await scene.origin.waitForRequests(1);
    const stopped = product.stop();
    const answer = await tunnel.readResponse();
    expect([answer.status, answer.text()]).toEqual([200, 'late but whole']);
    await expect(idle.reader.waitForEnd()).resolves.toBeUndefined();
    await expect(stopped).resolves.toBeUndefined();
    await expect(dialProxy(product.proxy)).rejects.toThrow('ECONNREFUSED');
    await product.start();
    const [row] = await listRequests(sandbox);
    expect(row).toMatchObject({ path: '/slow', status: 200 });
    const secret = (await product.admin.get('/secrets/api')).json as { last_used_at: string };
    expect(Date.parse(secret.last_used_at)).toBeGreaterThan(Date.now() - 20_000);
  });

  test('I4 a second SIGTERM hastens, and what was cut off is recorded too', async () => {
    const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
    using tunnel = await open(sandbox);
    tunnel.sendRequest({ path: '/endless' });
    expect((await tunnel.readHead()).status).toBe(200);
    const { pid } = product;
    process.kill(pid, 'SIGTERM');
    await eventually(async () => {
      await expect(dialProxy(product.proxy)).rejects.toThrow('ECONNREFUSED');
    });
    await expect(product.stop()).resolves.toBeUndefined();
    await product.start();
    expect(await listRequests(sandbox)).toMatchObject([{ path: '/endless', status: 200 }]);
  });
});

describe('a store that fails every read', () => {
  test('I8 no current policy, no egress: who is warm goes on, who is not is refused, until it is mended', async () => {
    const warm = await product.createSandbox({ secrets: { KEY: 'api' } });
    const cold = await product.createSandbox({ secrets: { KEY: 'api' } });
    using tunnel = await open(warm);
    expect((await tunnel.request({ path: '/warm' })).status).toBe(200);
    const other = new SqliteFile(join(product.dataDirectory, 'sallyport.db'));
    const rename = (from: string, to: string): void => {
      other.pragma('legacy_alter_table = ON');
      other.exec(`alter table ${from} rename to ${to}`);
    };
    const refused = async (): Promise<string> => {
      const plan = { proxy: product.proxy, authority: `${HOST}:443`, token: cold.token };
      using answer = await sendConnect(plan);
      const { response } = answer;
      return `${response.status} ${response.reason} ${response.field('retry-after') ?? ''}`;
    };
    rename('sandbox_tokens', 'away');
    try {
      scene.origin.clear();
      expect(await refused()).toBe('503 policy_unavailable 1');
      expect(scene.origin.requests).toEqual([]);
      expect((await tunnel.request({ path: '/still-warm' })).status).toBe(200);
    } finally {
      rename('away', 'sandbox_tokens');
      other.close();
    }
    await expect(expectServes(cold)).resolves.toBeUndefined();
  });
});
