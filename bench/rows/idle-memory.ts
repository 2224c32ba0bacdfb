/**
 * Row 7: resident memory of an idle intercepted connection (one request made, then kept alive) ÷ that of
 * an idle keep-alive connection of a bare `node:https` server, each in a fresh process of this run.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { HttpConnection } from '../../test/support/client.ts';
import type { TestSandbox } from '../../test/support/product.ts';
import { startScene } from '../../test/support/scene.ts';
import type { Scene } from '../../test/support/scene.ts';
import type { Figure } from '../figure.ts';
import { readResidentBytes } from '../process-cpu.ts';

const HOST = 'idle.bench.test';
const WARM_UP = 300;
const CONNECTIONS = 1_000;
const REACH = 1.15;
const KIB = 1024;

/** Bytes one more connection costs, when `open` opens connections to the process `pid`. */
async function measureConnection(
  pid: number,
  open: (index: number) => Promise<HttpConnection>,
): Promise<number> {
  const connections: HttpConnection[] = [];
  const openMany = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) {
      const connection = await open(i);
      await connection.request({ path: '/v1/items/1' });
      connections.push(connection);
    }
    await delay(3_000);
  };
  await openMany(WARM_UP);
  const before = readResidentBytes(pid);
  await openMany(CONNECTIONS);
  const after = readResidentBytes(pid);
  for (const connection of connections) connection.destroy();
  return (after - before) / CONNECTIONS;
}

async function measureProduct({ product }: Scene): Promise<number> {
  await product.createSecret('idle', 'not-a-real-key-for-the-bench', {
    auth: { type: 'bearer' },
    hosts: [HOST],
  });
  // Four, so that the limit of one sandbox is not met.
  const plan = { secrets: { KEY: 'idle' } };
  const sandboxes: TestSandbox[] = [];
  for (let i = 0; i < 4; i += 1) sandboxes.push(await product.createSandbox(plan));
  return measureConnection(product.pid, (index) => {
    const sandbox = sandboxes[index % sandboxes.length];
    if (sandbox === undefined) throw new Error('no sandbox');
    return product.openTunnel(sandbox, `${HOST}:443`);
  });
}

async function measureBare({ authority, product }: Scene): Promise<number> {
  const leaf = authority.mintLeaf([HOST]);
  const [certFile, keyFile] = ['cert.pem', 'key.pem'].map((name) => join(product.directory, name));
  await writeFile(certFile ?? '', leaf.certPem);
  await writeFile(keyFile ?? '', leaf.keyPem);
  const server = join(import.meta.dirname, '../idle-server.ts');
  const child = spawn(process.execPath, [server, certFile ?? '', keyFile ?? ''], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const options = { port: Number(line.toString()), host: '127.0.0.1', ca: authority.caPem };
  try {
    return await measureConnection(child.pid ?? 0, async () => {
      const socket = tls.connect({ ...options, servername: HOST });
      await once(socket, 'secureConnect');
      return new HttpConnection(socket, HOST);
    });
  } finally {
    child.kill('SIGTERM');
  }
}

export async function measureIdleMemory(): Promise<Figure> {
  await using scene = await startScene({ names: [HOST] });
  const ours = await measureProduct(scene);
  const bare = await measureBare(scene);
  const ratio = ours / bare;
  return {
    row: 7,
    title: 'idle intercepted connection: memory ÷ idle node:https connection',
    target: '≤ 1.15',
    measured: ratio.toFixed(2),
    reached: ratio <= REACH,
    detail:
      `Resident growth over ${CONNECTIONS} connections after ${WARM_UP}, three seconds after the last: ` +
      `sallyport ${(ours / KIB).toFixed(1)} KiB, node:https ${(bare / KIB).toFixed(1)} KiB a connection.`,
  };
}
