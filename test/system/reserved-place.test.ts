/**
 * A CONNECT that began as a tunnel and became an interception meanwhile gives back the place in the trail
 * that it had reserved (I4): with `audit.on_full: refuse` a lost place would refuse requests for ever.
 */
import { expect, test } from 'vitest';
import { startDnsServer } from '../egress/dns-server.ts';
import { dialProxy, proxyAuthorization, startTls } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { Origin } from '../support/origin.ts';
import { startProduct } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';

const NAME = 'late.example.test';

test('I4: the request inside finds the one place of the queue free', async () => {
  await using stack = new AsyncDisposableStack();
  const dns = await startDnsServer();
  stack.defer(() => dns.close());
  dns.zone.set(NAME, { isSilent: true });
  const authority = new TestAuthority();
  const origin = stack.use(await Origin.start({ leaf: authority.mintLeaf([NAME]) }));
  const product = stack.use(
    await startProduct({
      originCa: authority.caPem,
      settings: {
        egress: { dns: { servers: [dns.address], mode: 'resolver' } },
        audit: { on_full: 'refuse' },
        limits: { audit_queue_max: 1 },
      },
    }),
  );
  const more = { auth: { type: 'bearer' }, hosts: [NAME], ports: [origin.port] };
  await product.createSecret('late', 'not-a-real-key-0123456789', more);
  const sandbox = await product.createSandbox();
  const connection = await dialProxy(product.proxy);
  const target = `${NAME}:${origin.port}`;
  const token = proxyAuthorization(sandbox.token);
  connection.send(`CONNECT ${target} HTTP/1.1\r\nProxy-Authorization: ${token}\r\n\r\n`);
  await eventually(() => expect(dns.asked).toContain(`${NAME} a`));
  const binding = { env_key: 'LATE', secret_name: 'late' };
  await product.admin.must('POST', `/sandboxes/${sandbox.id}/secrets`, binding);
  dns.zone.set(NAME, { a: ['127.0.0.1'] });
  expect((await connection.readHead()).status).toBe(200);
  using tunnel = await startTls(connection, target, { ca: product.caPem });
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
});
