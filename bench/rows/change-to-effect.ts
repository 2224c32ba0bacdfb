/**
 * Row 9, in one process: a rotation is answered, then the next request of a kept-alive tunnel carries the
 * new value. Counted, not timed: of so many rotations under load none may be late.
 */
import { randomBytes } from 'node:crypto';
import { startScene } from '../../test/support/scene.ts';
import type { Figure } from '../figure.ts';
import { median } from '../figure.ts';

const HOST = 'change.bench.test';
const CHANGES = 200;

export async function measureChangeToEffect(): Promise<Figure> {
  await using scene = await startScene({
    names: [HOST],
    handlers: {
      '*': (request, response) => {
        scene.origin.clear();
        arrived = request.headers.authorization ?? '';
        response.end('ok');
      },
    },
  });
  let arrived = '';
  const { product } = scene;
  const mint = (): string => `not-a-real-key-${randomBytes(16).toString('hex')}`;
  await product.createSecret('change', mint(), { auth: { type: 'bearer' }, hosts: [HOST] });
  const sandbox = await product.createSandbox({ secrets: { KEY: 'change' } });
  using tunnel = await product.openTunnel(sandbox, `${HOST}:443`);
  await tunnel.request({ path: '/' });
  let late = 0;
  const times: number[] = [];
  for (let i = 0; i < CHANGES; i += 1) {
    const value = mint();
    await product.admin.must('PATCH', '/secrets/change', { value });
    const startMs = performance.now();
    await tunnel.request({ path: '/' });
    times.push(performance.now() - startMs);
    if (arrived !== `Bearer ${value}`) late += 1;
  }
  return {
    row: 9,
    title: 'admin change → effect, same process',
    target: 'next request (< 100 ms across: one process only so far)',
    measured: `${late} of ${CHANGES} late`,
    reached: late === 0,
    detail: `The request right after a rotation, with the new policy to read: median ${median(times).toFixed(2)} ms.`,
  };
}
