/**
 * A port on which a connection attempt gets no answer at all: a process listens with the shortest queue
 * and never accepts, and the queue is full, so Linux drops what else knocks.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';

export interface UnansweringPort {
  /** `HOST:PORT`, as `egress.hosts` takes it. */
  readonly address: string;
  close(): Promise<void>;
}

const LISTENER = `
  const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    process.stdout.write(String(server.address().port), () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });
  });`;

export async function startUnansweringPort(): Promise<UnansweringPort> {
  const child = spawn(process.execPath, ['-e', LISTENER], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [text] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(text.toString());
  const fillers = Array.from({ length: 8 }, () => {
    return net.connect({ host: '127.0.0.1', port }).on('error', () => {});
  });
  await Promise.race(fillers.map((filler) => once(filler, 'connect')));
  return {
    address: `127.0.0.1:${port}`,
    close: async () => {
      for (const filler of fillers) filler.destroy();
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
