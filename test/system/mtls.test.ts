/**
 * Client certificates as secrets (mTLS): shown to the hosts of the secret by the connection, together with
 * secrets in the head, on upgrades too; another version is another connection; the key goes nowhere.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { valuesOf } from '../support/origin.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { TestAuthority } from '../support/test-authority.ts';
import type { TestLeaf } from '../support/test-authority.ts';

const HOST = 'bank.example.test';
const OTHER = 'open.example.test';
const clients = new TestAuthority('Clients of the bank');
const first = clients.mintLeaf(['first client'], { client: true });
const second = clients.mintLeaf(['second client'], { client: true });
const token = mintCanary();
let scene: Scene;
let sandbox: TestSandbox;

const pemOf = ({ certPem, keyPem }: TestLeaf): string => `${certPem}${keyPem}`;
/** The key without its lines, as it would leak in one piece. */
const keyTextOf = ({ keyPem }: TestLeaf): string => keyPem.split('\n')[1] ?? '';

beforeAll(async () => {
  scene = await startScene({
    names: [HOST, OTHER],
    clientCa: clients.caPem,
    onUpgrade: (_, socket) => {
      socket.end(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      );
    },
  });
  const { product } = scene;
  const auth = { type: 'mtls' };
  await product.createSecret('bank', pemOf(first), { auth, hosts: [HOST] });
  await product.createSecret('token', token, { auth: { type: 'bearer' }, hosts: [HOST, OTHER] });
  sandbox = await product.createSandbox({ secrets: { BANK: 'bank', TOKEN: 'token' } });
});

afterAll(async () => {
  await scene.product.assertNoLeak([token, keyTextOf(first), keyTextOf(second)]);
  await scene[Symbol.asyncDispose]();
});

async function get(box = sandbox, host = HOST) {
  using tunnel = await scene.product.openTunnel(box, `${host}:443`);
  return await tunnel.request({ path: '/' });
}

describe('a client certificate', () => {
  test('is shown to its host, beside a secret in the head, and both count as used', async () => {
    const answer = await get();
    expect(answer.status).toBe(200);
    expect(scene.origin.last.clientName).toBe('first client');
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${token}`]);
    const shown = await scene.product.admin.must('GET', '/secrets/bank');
    expect(shown).toMatchObject({ auth_type: 'custom', auth_kind: 'mtls', auth_config: {} });
    expect(shown).toMatchObject({ last_used_at: expect.any(String) });
  });

  test('I3: is shown to no other host, and what an origin says of it is named', async () => {
    const answer = await get(sandbox, OTHER);
    expect(answer.status).toBe(502);
    const { error } = answer.json() as { error: { code: string; message: string } };
    expect(error.code).toBe('upstream_tls_failed');
    expect(error.message).toContain('certificate_required');
  });

  test('I2: is not shown for a sandbox that does not bind it, pooled as the connection may be', async () => {
    expect((await get()).status).toBe(200);
    const other = await scene.product.createSandbox({ secrets: { TOKEN: 'token' } });
    expect((await get(other)).status).toBe(502);
  });

  test('is shown on the connection of an upgrade', async () => {
    using tunnel = await scene.product.openTunnel(sandbox, `${HOST}:443`);
    const fields = ['Connection', 'Upgrade', 'Upgrade', 'websocket'];
    const answer = await tunnel.request({
      path: '/socket',
      fields: [
        ...fields,
        'Sec-WebSocket-Key',
        'AAAAAAAAAAAAAAAAAAAAAA==',
        'Sec-WebSocket-Version',
        '13',
      ],
    });
    expect(answer.status).toBe(101);
    expect(scene.origin.last).toMatchObject({ upgrade: true, clientName: 'first client' });
  });

  test('of two only one can be shown: overlapping hosts are ambiguous', async () => {
    const auth = { type: 'mtls' };
    await scene.product.createSecret('rival', pemOf(second), { auth, hosts: [HOST] });
    const box = await scene.product.createSandbox({ secrets: { A: 'bank', B: 'rival' } });
    const answer = await get(box);
    expect(answer.status).toBe(403);
    expect(answer.text()).toContain('ambiguous_secret');
    await scene.product.admin.must('PATCH', '/secrets/rival', { priority: 5 });
    expect((await get(box)).status).toBe(200);
    expect(scene.origin.last.clientName).toBe('second client');
  });

  test('rotated: the next request of the open tunnel shows the new one; rolled on with a new pool', async () => {
    const { product, origin } = scene;
    using tunnel = await product.openTunnel(sandbox, `${HOST}:443`);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
    await product.admin.must('PATCH', '/secrets/bank', { value: pemOf(second) });
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
    expect(origin.last.clientName).toBe('second client');
  });

  test('revoked: the request is refused and the connections that showed it are closed', async () => {
    const { product, origin } = scene;
    const auth = { type: 'mtls' };
    await product.createSecret('short', pemOf(first), { auth, hosts: [HOST] });
    const box = await product.createSandbox({ secrets: { SHORT: 'short' } });
    expect((await get(box)).status).toBe(200);
    const open = origin.openConnections;
    await product.admin.must('DELETE', '/secrets/short');
    const answer = await get(box);
    expect([answer.status, answer.text()]).toEqual([
      503,
      expect.stringContaining('credential_revoked'),
    ]);
    await eventually(() => expect(origin.openConnections).toBeLessThan(open));
  });
});

describe('what is no client certificate is refused when it is stored', () => {
  const weak = clients.mintLeaf(['weak client'], { client: true, weakKey: true });
  const encrypted = first.keyPem.replaceAll('PRIVATE KEY', 'ENCRYPTED PRIVATE KEY');
  test.each([
    ['no PEM', 'not-a-real-value', 'no certificate'],
    ['the certificate alone', first.certPem, 'no private key'],
    ['the key alone', first.keyPem, 'no certificate'],
    ['the key of another', first.certPem + second.keyPem, 'does not belong'],
    ['two keys', pemOf(first) + second.keyPem, 'more than one private key'],
    ['an encrypted key', first.certPem + encrypted, 'passphrase'],
    ['a weak key', pemOf(weak), 'too weak'],
    ['a block without its end', first.certPem + first.keyPem.slice(0, 90), 'no end'],
    ['a broken certificate', pemOf(first).replace('MII', 'AAA'), 'cannot be read'],
  ])('%s', async (_, value, why) => {
    const body = { name: 'bad', value, auth: { type: 'mtls' }, hosts: [HOST] };
    const answer = await scene.product.admin.post('/secrets', body);
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('value_not_placeable');
    expect(answer.text).toContain(why);
  });

  test('and it never travels in clear', async () => {
    const body = { auth: { type: 'mtls' }, hosts: [HOST], allow_plaintext: true };
    const answer = await scene.product.admin.post('/secrets', {
      name: 'plain',
      value: pemOf(first),
      ...body,
    });
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('allow_plaintext')]);
  });
});
