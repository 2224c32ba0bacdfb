/**
 * Row 7: resident memory of an idle intercepted connection (one request made, then kept alive) ÷ that of
 * an idle keep-alive connection of a bare `node:https` server, both measured in this run.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { HttpConnection } from '../../test/support/client.ts';
import type { Figure } from '../figure.ts';
import { readResidentBytes } from '../process-cpu.ts';
import { BENCH_HOST } from '../stage.ts';
import type { Stage } from '../stage.ts';

const WARM_UP = 200;
const CONNECTIONS = 1_000;
const REACH = 1.15;
const KIB = 1024;

/** Bytes one more connection costs, when `open` opens connections to the process `pid`. */
async function measureConnection(
  pid: number,
  open: () => Promise<HttpConnection>,
): Promise<number> {
  const connections: HttpConnection[] = [];
  const openMany = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) {
      const connection = await open();
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

async function openDirect(port: number, ca: string): Promise<HttpConnection> {
  const socket = tls.connect({ port, host: '127.0.0.1', servername: BENCH_HOST, ca });
  await once(socket, 'secureConnect');
  return new HttpConnection(socket, BENCH_HOST);
}

export async function measureIdleMemory(stage: Stage): Promise<Figure> {
  const { product, sandboxes, originCaPem, directory } = stage;
  let turn = 0;
  const ours = await measureConnection(product.pid, () => {
    turn += 1;
    const sandbox = sandboxes[turn % sandboxes.length];
    if (sandbox === undefined) throw new Error('the stage has no sandbox');
    return product.openTunnel(sandbox, `${BENCH_HOST}:443`);
  });
  const files = ['cert.pem', 'key.pem'].map((name) => join(directory, 'floor', name));
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, '../idle-server.ts'), ...files],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(line.toString());
  const bare = await measureConnection(child.pid ?? 0, () => openDirect(port, originCaPem));
  child.kill('SIGTERM');
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
