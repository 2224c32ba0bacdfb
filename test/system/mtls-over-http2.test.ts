/**
 * Client certificates and overlapping rotations with HTTP/2 on both sides, through the whole product: the
 * sessions of an origin are shared by the sandboxes of an organization, what they show is not.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { openHttp2 } from '../support/http2-client.ts';
import { Http2Origin } from '../support/http2-origin.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';
import type { TestLeaf } from '../support/test-authority.ts';

const HOST = 'bank.example.test';
const authority = new TestAuthority();
const clients = new TestAuthority('Clients of the bank');
const first = clients.mintLeaf(['first client'], { client: true });
const second = clients.mintLeaf(['second client'], { client: true });
const values = [mintCanary(), mintCanary()] as const;
let accepted: string = values[0];
let origin: Http2Origin;
let product: Product;
let holder: TestSandbox;
let stranger: TestSandbox;

const pemOf = ({ certPem, keyPem }: TestLeaf): string => `${certPem}${keyPem}`;

beforeAll(async () => {
  origin = await Http2Origin.start({
    leaf: authority.mintLeaf([HOST]),
    clientCa: clients.caPem,
    handlers: {
      '*': (stream, { field }) => {
        const isAccepted = field('authorization') === `Bearer ${accepted}`;
        stream.respond({ ':status': isAccepted ? 200 : 401, 'x-seen': field('authorization') });
        stream.end(`seen ${field('authorization')}`);
      },
    },
  });
  product = await startProduct({ hosts: { [HOST]: origin.address }, originCa: authority.caPem });
  await product.createSecret('bank', pemOf(first), { auth: { type: 'mtls' }, hosts: [HOST] });
  await product.createSecret('token', values[0], { auth: { type: 'bearer' }, hosts: [HOST] });
  holder = await product.createSandbox({ secrets: { BANK: 'bank', TOKEN: 'token' } });
  stranger = await product.createSandbox({ secrets: { TOKEN: 'token' } });
});

afterAll(async () => {
  await product.assertNoLeak(values);
  await product[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
});

function lastSeen(): readonly [session: number, name: string | null] {
  const record = origin.requests.at(-1);
  return [record?.session ?? 0, record?.clientName ?? null];
}

test('I2 a sandbox without the certificate never shares a session that showed it', async () => {
  using own = await openHttp2(product, holder, `${HOST}:443`);
  using other = await openHttp2(product, stranger, `${HOST}:443`);
  const seen = new Map<string | null, Set<number>>();
  for (let round = 0; round < 3; round += 1) {
    for (const [tunnel, name] of [[own, 'first client'] as const, [other, null] as const]) {
      expect((await tunnel.request({ path: `/${round}` })).status).toBe(200);
      const [session, shown] = lastSeen();
      expect(shown).toBe(name);
      seen.set(name, (seen.get(name) ?? new Set()).add(session));
    }
  }
  expect([...seen.values()].map((sessions) => sessions.size)).toEqual([1, 1]);
  // Both at once: neither joins the other's dial.
  await Promise.all([own.request({ path: '/a' }), other.request({ path: '/b' })]);
  for (const { field, clientName } of origin.requests.slice(-2)) {
    expect(clientName).toBe(field(':path') === '/a' ? 'first client' : null);
  }
});

test('I2 rotated and taken away: the next stream of an open session shows the new one, then none', async () => {
  using own = await openHttp2(product, holder, `${HOST}:443`);
  expect((await own.request({ path: '/' })).status).toBe(200);
  expect(lastSeen()[1]).toBe('first client');
  await product.admin.must('PATCH', '/secrets/bank', { value: pemOf(second) });
  expect((await own.request({ path: '/' })).status).toBe(200);
  expect(lastSeen()[1]).toBe('second client');
  await product.admin.must('PATCH', '/secrets/bank', { disabled: true });
  const refused = await own.request({ path: '/' });
  expect(refused.field('proxy-status')).toContain('credential_disabled');
  await product.admin.must('PATCH', '/secrets/bank', { disabled: false });
  expect((await own.request({ path: '/' })).status).toBe(200);
  expect(lastSeen()[1]).toBe('second client');
});

test('I3 I4 a version that an HTTP/2 origin refuses is followed by the one before', async () => {
  await product.admin.must('PATCH', '/secrets/token', {
    value: values[1],
    overlap_seconds: 600,
  });
  using tunnel = await openHttp2(product, stranger, `${HOST}:443`);
  const before = origin.requests.length;
  const answer = await tunnel.request({ path: '/overlap' });
  expect(answer.status).toBe(200);
  expect(answer.text()).toBe(`seen Bearer ${'*'.repeat(values[0].length)}`);
  expect(answer.field('x-seen')).toBe(`Bearer ${'*'.repeat(values[0].length)}`);
  expect(origin.requests.slice(before).map(({ field }) => field('authorization'))).toEqual([
    `Bearer ${values[1]}`,
    `Bearer ${values[0]}`,
  ]);
  const [one, two] = origin.requests.slice(before);
  expect(one?.session).toBe(two?.session);
  await eventually(async () => {
    const rows = (await product.admin.must('GET', '/secrets/token/audit')) as readonly {
      readonly version: number;
      readonly overlap_version?: number;
    }[];
    expect(rows.map((row) => row.overlap_version).filter((one) => one !== undefined)).toEqual([1]);
  });
  accepted = values[1];
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
});
