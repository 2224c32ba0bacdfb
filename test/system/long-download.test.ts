/**
 * A client slower than its origin pauses a response hundreds of times; nothing piles up with each pause
 * (Node says so on standard error when listeners do).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { startScene } from '../support/scene.ts';

const HOST = 'api.example.test';
const BYTES = 48 << 20;

test('I7 a slow reader of a long body leaves no warning behind', async () => {
  await using scene = await startScene({
    names: [HOST],
    handlers: { '/long': (_request, response) => void response.end(Buffer.alloc(BYTES)) },
  });
  const more = { auth: { type: 'bearer' }, hosts: [HOST] };
  await scene.product.createSecret('api', mintCanary(), more);
  const sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
  using tunnel = await scene.product.openTunnel(sandbox, `${HOST}:443`);
  tunnel.sendRequest({ path: '/long' });
  await tunnel.readHead();
  for (let read = 0; read < 40; read += 1) {
    await tunnel.reader.readExactly(1 << 20);
    tunnel.socket.pause();
    await delay(10);
    tunnel.socket.resume();
  }
  await tunnel.reader.readExactly(BYTES - (40 << 20), 20_000);
  expect(scene.product.output.stderr).not.toContain('Warning');
});
