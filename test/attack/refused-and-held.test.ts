/** I7: a client that keeps its end of a refused CONNECT open does not keep ours. */
import { once } from 'node:events';
import net from 'node:net';
import { expect, test } from 'vitest';
import { proxyAuthorization } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { startScene } from '../support/scene.ts';

test('I7 a refused CONNECT is closed though its client never closes', async () => {
  await using scene = await startScene({ names: ['plain.example.test'] });
  const { product } = scene;
  const sandbox = await product.createSandbox({ network: { deny_out: ['plain.example.test'] } });
  const { port } = product.proxy;
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  const authorization = `Proxy-Authorization: ${proxyAuthorization(sandbox.token)}`;
  socket.write(`CONNECT plain.example.test:443 HTTP/1.1\r\n${authorization}\r\n\r\n`);
  socket.resume();
  await once(socket, 'end');
  expect(socket.writable).toBe(true);
  await eventually(async () => {
    expect((await product.admin.get('/metrics')).text).toContain(
      'sallyport_connections{kind="client"} 0',
    );
  });
  socket.destroy();
});
