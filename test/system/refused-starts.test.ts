/**
 * What keeps Sallyport from starting (I8): no key, the wrong key, a database that is damaged, locked,
 * somebody else's, or has no room, a port that is taken. Each says so in a sentence with a hint and ends
 * with the code for settings; nothing is left listening. And a value that cannot be opened never goes out.
 */
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join, resolve } from 'node:path';
import SqliteFile from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EXIT_CODES } from '../../cli/exit-codes.ts';
import { mintCanary } from '../support/canary.ts';
import { dialProxy } from '../support/client.ts';
import { valuesOf } from '../support/origin.ts';
import type { Product } from '../support/product.ts';
import { outcomeOf } from '../support/refusal.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { lacks } from '../support/missing-tools.ts';

const HOST = 'api.example.test';
const value = mintCanary();
let scene: Scene;
let product: Product;
let database = '';
let keyFile = '';

beforeAll(async () => {
  scene = await startScene({ names: [HOST] });
  product = scene.product;
  const auth = { type: 'bearer' };
  await product.createSecret('api', value, { auth, hosts: [HOST] });
  await product.createSecret('other', mintCanary(), { auth, hosts: [HOST] });
  await product.stop();
  database = join(product.dataDirectory, 'sallyport.db');
  keyFile = join(product.dataDirectory, 'master.key');
  for (const file of [database, keyFile]) await copyFile(file, `${file}.good`);
});

beforeEach(async () => {
  await product.kill();
  for (const file of [database, keyFile]) await copyFile(`${file}.good`, file);
  for (const file of [`${database}-wal`, `${database}-shm`]) await rm(file, { force: true });
});

afterAll(async () => {
  await product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
});

interface Refused {
  readonly code: number;
  readonly stderr: string;
}

/** How a start that must fail ends. */
async function refusedStart(over: Product = product): Promise<Refused> {
  const { length } = over.output.stderr;
  const failure: unknown = await over.start().then(
    () => 'it started',
    (error: unknown) => error,
  );
  const code = /the product ended with (\d+)/.exec(String(failure))?.[1];
  if (code === undefined) throw new Error(`not refused: ${String(failure)}`);
  const stderr = over.output.stderr.slice(length);
  return { code: Number(code), stderr };
}

/** One sentence and a hint, no stack, the code for settings. */
async function expectRefusedStart(sentence: RegExp): Promise<void> {
  const { code, stderr } = await refusedStart();
  expect(stderr).toMatch(sentence);
  expect(stderr).toMatch(/^hint: \S.+/m);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(code).toBe(EXIT_CODES.settings);
}

async function hashOf(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}

describe('I8 no key, no start', () => {
  test('the key file is gone: no new one is made over sealed values', async () => {
    await rm(keyFile);
    await expectRefusedStart(/^sallyport: .*master\.key/m);
    await expect(stat(keyFile)).rejects.toThrow('ENOENT');
  });

  test.each<readonly [string, string | Buffer]>([
    ['is empty', ''],
    ['is cut', 'aGVsbG8='],
    ['holds bytes that are no base64', randomBytes(32)],
    ['holds a key of 31 bytes', randomBytes(31).toString('base64')],
    ['holds text', 'not-a-real-key'],
  ])('the key file %s', async (_how, content) => {
    await writeFile(keyFile, content);
    await expectRefusedStart(/^sallyport: The key file .*master\.key/m);
    expect(await readFile(keyFile)).toEqual(Buffer.from(content));
  });

  test('another key, as good as the right one', async () => {
    await writeFile(keyFile, randomBytes(32).toString('base64'));
    await expectRefusedStart(/^sallyport: The master key is wrong/m);
    await copyFile(`${keyFile}.good`, keyFile);
    await expect(product.start()).resolves.toBeGreaterThan(0);
  });
});

describe('a database that cannot be used', () => {
  test('I8 is damaged in its header: refused, and left as it is for whoever repairs it', async () => {
    const bytes = await readFile(database);
    bytes.fill(0x5a, 0, 100);
    await writeFile(database, bytes);
    await expectRefusedStart(/^sallyport: The database .*sallyport\.db is damaged/m);
    expect(await hashOf(database)).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  test('I8 is cut in the middle', async () => {
    const { size } = await stat(database);
    await truncate(database, Math.floor(size / 2 / 4096) * 4096);
    const refused = expectRefusedStart(/^sallyport: The database .*sallyport\.db is damaged/m);
    await expect(refused).resolves.toBeUndefined();
  });

  test('I8 is a database of something else', async () => {
    await rm(database);
    const other = new SqliteFile(database);
    other.exec('create table kysely_migration (name text); create table secrets (a); ');
    other.close();
    const { code, stderr } = await refusedStart();
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/^sallyport: /m);
  });

  test('is in use by another instance', async () => {
    await product.start();
    const args = ['serve', '--config', product.configFile, '--data-dir', product.dataDirectory];
    const second = spawnSync(process.execPath, [resolve('cli/main.ts'), ...args], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect(second.stderr).toContain('Another Sallyport is running on the database');
    expect(second.status).toBe(EXIT_CODES.settings);
    expect((await product.admin.get('/readyz')).status).toBe(200);
  });

  test('has a file where its directory should be', async () => {
    const blocked = join(product.directory, 'a-file');
    await writeFile(blocked, '');
    const args = ['serve', '--config', product.configFile, '--data-dir', join(blocked, 'data')];
    const started = spawnSync(process.execPath, [resolve('cli/main.ts'), ...args], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect(started.stderr).toMatch(/^sallyport: .*cannot be/m);
    expect(started.stderr).not.toMatch(/^\s+at /m);
    expect(started.status).toBe(EXIT_CODES.settings);
  });

  test.skipIf(lacks('prlimit'))('has no room on its disk', async () => {
    const fresh = join(product.directory, 'no-room');
    const serve = [resolve('cli/main.ts'), 'serve', '--config', product.configFile];
    const started = spawnSync(
      'prlimit',
      ['--fsize=8192', process.execPath, ...serve, '--data-dir', fresh],
      { encoding: 'utf8', timeout: 20_000 },
    );
    expect(started.stderr).toMatch(/^sallyport: .*no-room/m);
    expect(started.stderr).not.toMatch(/^\s+at /m);
    expect(started.status).toBe(EXIT_CODES.settings);
  });
});

describe('a port that is taken', () => {
  test.each(['admin', 'proxy'])(
    '%s: said in a sentence, and the other one is let go',
    async (plane) => {
      const squatter = net.createServer().listen(0, '127.0.0.1');
      await once(squatter, 'listening');
      const { port } = squatter.address() as net.AddressInfo;
      const free = net.createServer().listen(0, '127.0.0.1');
      await once(free, 'listening');
      const { port: otherPort } = free.address() as net.AddressInfo;
      free.close();
      await product.writeSettings({
        [plane]: { listen: `127.0.0.1:${port}` },
        [plane === 'admin' ? 'proxy' : 'admin']: { listen: `127.0.0.1:${otherPort}` },
      });
      try {
        await expectRefusedStart(new RegExp(`^sallyport: .*127\\.0\\.0\\.1:${port}`, 'm'));
        const other = dialProxy({ host: '127.0.0.1', port: otherPort });
        await expect(other).rejects.toThrow('ECONNREFUSED');
      } finally {
        squatter.close();
        await product.writeSettings();
      }
    },
  );
});

describe('I2 a value that cannot be opened', () => {
  /** Outcome of a request after `change` made the sealed value of `api` from those of both secrets. */
  async function withDamage(change: (own: Buffer, other: Buffer) => Buffer): Promise<string> {
    const file = new SqliteFile(database);
    const versionOf = (name: string): { id: string; sealed: Buffer } =>
      file
        .prepare(
          `select v.id, v.sealed from secret_versions v
           join secrets s on s.active_version_id = v.id where s.name = ?`,
        )
        .get(name) as { id: string; sealed: Buffer };
    const own = versionOf('api');
    const damaged = change(own.sealed, versionOf('other').sealed);
    file.prepare('update secret_versions set sealed = ? where id = ?').run(damaged, own.id);
    file.close();
    await product.start();
    const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
    scene.origin.clear();
    using tunnel = await product.openTunnel(sandbox, `${HOST}:443`);
    const fields = ['Authorization', `Bearer ${sandbox.placeholders['KEY'] ?? ''}`];
    const outcome = outcomeOf(await tunnel.request({ path: '/', fields }));
    const bare = outcomeOf(await tunnel.request({ path: '/' }));
    return `${outcome}, ${bare}, ${scene.origin.requests.length} arrived`;
  }

  test('one bit of it flipped', async () => {
    const flipped = withDamage((own) => {
      const bytes = Buffer.from(own);
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
      return bytes;
    });
    expect(await flipped).toBe('503 credential_unavailable, 503 credential_unavailable, 0 arrived');
  });

  test('I3 the ciphertext of another secret moved into its row', async () => {
    const swapped = withDamage((_own, other) => other);
    expect(await swapped).toBe('503 credential_unavailable, 503 credential_unavailable, 0 arrived');
  });

  test('undamaged it goes out: the refusals above are not vacuous', async () => {
    await product.start();
    const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
    using tunnel = await product.openTunnel(sandbox, `${HOST}:443`);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
  });
});
