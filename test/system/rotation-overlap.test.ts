/**
 * A rotation with `overlap_seconds`: a GET or HEAD that the origin answers 401 to the new version goes out
 * once more with the version before, and nothing else ever does. Seen from the origin, the client, the
 * audit and the counts.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import type { OriginHandler } from '../support/origin.ts';
import { valuesOf } from '../support/origin.ts';
import { openHttp2 } from '../support/http2-client.ts';
import type { TestSandbox } from '../support/product.ts';
import type { Scene } from '../support/scene.ts';
import { startScene } from '../support/scene.ts';

const HOST = 'api.example.test';
const LONG = 'x'.repeat(300_000);
const accepted = new Set<string>();
/** What an origin that has seen it sends back. */
let echoed: readonly string[] = [];
const changeMeanwhile: { run: (() => Promise<void>) | null } = { run: null };
let scene: Scene;
let count = 0;

/** The value of a first version: the only one accepted here. */
function isFirst(rawHeaders: readonly string[]): boolean {
  return accepted.has(bearerOf(rawHeaders));
}

function bearerOf(rawHeaders: readonly string[]): string {
  return (valuesOf(rawHeaders, 'authorization')[0] ?? '').replace(/^Bearer /, '');
}

/** 200 for an accepted value; else 401 with a body of so many bytes, cut in two. */
function guarded(refusedBody = 'no', hints = false): OriginHandler {
  return async (request, response, readBody) => {
    await readBody();
    await changeMeanwhile.run?.();
    if (isFirst(request.rawHeaders)) {
      response.writeHead(200, ['Content-Type', 'text/plain']);
      response.end(echoed.join(' ') || 'welcome');
      return;
    }
    if (hints) response.writeEarlyHints({ link: '</a.css>; rel=preload' });
    response.writeHead(401, ['WWW-Authenticate', 'Bearer error="invalid_token"']);
    response.write(refusedBody.slice(0, refusedBody.length / 2));
    setTimeout(() => response.end(refusedBody.slice(refusedBody.length / 2)), 5);
  };
}

beforeAll(async () => {
  scene = await startScene({
    names: [HOST],
    handlers: {
      '*': guarded(),
      '/long': guarded(LONG),
      '/cut': (request, response) => {
        if (isFirst(request.rawHeaders)) request.socket.destroy();
        else response.writeHead(401).end();
      },
      '/endless': (request, response) => {
        response.writeHead(isFirst(request.rawHeaders) ? 200 : 401);
        response.write('begun');
      },
      '/hints': guarded('no', true),
    },
    settings: { egress: { default: 'allow' } },
  });
});

afterAll(() => scene[Symbol.asyncDispose]());

beforeEach(() => {
  accepted.clear();
  echoed = [];
  changeMeanwhile.run = null;
  scene.origin.clear();
});

interface Begun {
  readonly name: string;
  readonly sandbox: TestSandbox;
  /** By version, from 1. */
  readonly values: string[];
}

async function begin(more: Readonly<Record<string, unknown>> = {}): Promise<Begun> {
  count += 1;
  const name = `overlap_${count}`;
  const values = ['', mintCanary()];
  await scene.product.createSecret(name, values[1] ?? '', {
    auth: { type: 'bearer' },
    hosts: [HOST],
    ...more,
  });
  const sandbox = await scene.product.createSandbox({ secrets: { KEY: name } });
  return { name, sandbox, values };
}

async function rotate(begun: Begun, overlapSeconds?: number): Promise<void> {
  const value = mintCanary();
  begun.values.push(value);
  await scene.product.admin.must('PATCH', `/secrets/${begun.name}`, {
    value,
    ...(overlapSeconds === undefined ? {} : { overlap_seconds: overlapSeconds }),
  });
}

function sentVersions({ values }: Begun): number[] {
  return scene.origin.requests.map(({ rawHeaders }) => values.indexOf(bearerOf(rawHeaders)));
}

async function ask(
  { sandbox }: Begun,
  plan: { method?: string; path?: string; body?: string } = {},
) {
  using tunnel = await scene.product.openTunnel(sandbox, `${HOST}:443`);
  return await tunnel.request({ path: '/', ...plan });
}

async function rowsOf({ name }: Begun) {
  return (await scene.product.admin.must('GET', `/secrets/${name}/audit`)) as readonly {
    readonly version: number;
    readonly overlap_version?: number;
    readonly status: number;
    readonly error_code?: string;
  }[];
}

describe('the version before steps in (I2, I4)', () => {
  test('once, for a GET and a HEAD; the client sees one answer, the audit row both versions', async () => {
    const begun = await begin();
    await rotate(begun, 600);
    accepted.add(begun.values[1] ?? '');
    const answer = await ask(begun);
    expect([answer.status, answer.text()]).toEqual([200, 'welcome']);
    expect(sentVersions(begun)).toEqual([2, 1]);
    scene.origin.clear();
    expect((await ask(begun, { method: 'HEAD' })).status).toBe(200);
    expect(sentVersions(begun)).toEqual([2, 1]);
    const rows = await eventually(async () => {
      const found = await rowsOf(begun);
      expect(found).toHaveLength(2);
      return found;
    });
    expect(rows.map((row) => [row.version, row.overlap_version, row.status])).toEqual([
      [2, 1, 200],
      [2, 1, 200],
    ]);
    const trail = await scene.product.admin.must('GET', `/audit?secret=${begun.name}`);
    expect(trail.data[0].secrets.map((one: { version: number }) => one.version)).toEqual([2, 1]);
    await scene.product.assertNoLeak(begun.values.slice(1));
  });

  test('exactly one retry: refused with both, the client gets the second 401', async () => {
    const begun = await begin();
    await rotate(begun, 600);
    const answer = await ask(begun);
    expect([answer.status, answer.text()]).toEqual([401, 'no']);
    expect(sentVersions(begun)).toEqual([2, 1]);
  });

  test('a long 401 is dropped, an accepted new value is never tried twice', async () => {
    const begun = await begin();
    await rotate(begun, 600);
    accepted.add(begun.values[1] ?? '');
    expect((await ask(begun, { path: '/long' })).text()).toBe('welcome');
    accepted.add(begun.values[2] ?? '');
    scene.origin.clear();
    expect((await ask(begun)).status).toBe(200);
    expect(sentVersions(begun)).toEqual([2]);
  });

  test('of what the origin sends back neither version reaches the client (I3)', async () => {
    const begun = await begin();
    await rotate(begun, 600);
    accepted.add(begun.values[1] ?? '');
    echoed = begun.values.slice(1);
    const answer = await ask(begun);
    expect(answer.text()).toMatch(/^[^ ]*\*{8,} [^ ]*\*{8,}$/);
    await scene.product.assertNoLeak(begun.values.slice(1));
  });

  test('for streams of HTTP/2 as well, each by itself', async () => {
    const begun = await begin();
    await rotate(begun, 600);
    accepted.add(begun.values[1] ?? '');
    using tunnel = await openHttp2(scene.product, begun.sandbox, `${HOST}:443`);
    const answers = await Promise.all([
      tunnel.request({ path: '/' }),
      tunnel.request({ method: 'HEAD', path: '/' }),
      tunnel.request({ method: 'POST', path: '/', body: '{}' }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 401]);
    expect(sentVersions(begun).toSorted((one, other) => one - other)).toEqual([1, 1, 2, 2, 2]);
  });

  test('a second try that breaks is a failure of the exchange; the row has both versions', async () => {
    const begun = await begin();
    await rotate(begun, 600);
    accepted.add(begun.values[1] ?? '');
    const answer = await ask(begun, { path: '/cut' });
    expect([answer.status, answer.field('proxy-status')]).toEqual([
      502,
      expect.stringContaining('upstream_unreachable'),
    ]);
    const [row] = await eventually(async () => {
      const rows = await rowsOf(begun);
      expect(rows).toHaveLength(1);
      return rows;
    });
    expect([row?.version, row?.overlap_version]).toEqual([2, 1]);
  });

  test('a client that leaves during the second try ends it; one row', async () => {
    const begun = await begin();
    await rotate(begun, 600);
    accepted.add(begun.values[1] ?? '');
    const tunnel = await scene.product.openTunnel(begun.sandbox, `${HOST}:443`);
    tunnel.sendRequest({ path: '/endless' });
    expect((await tunnel.readHead()).status).toBe(200);
    tunnel.reset();
    const [row] = await eventually(async () => {
      const rows = await rowsOf(begun);
      expect(rows).toHaveLength(1);
      return rows;
    });
    expect([row?.version, row?.overlap_version, row?.error_code]).toEqual([2, 1, 'client_aborted']);
  });

  test('use and requests are counted for both, each request once', async () => {
    const begun = await begin();
    await rotate(begun, 600);
    accepted.add(begun.values[1] ?? '');
    await ask(begun);
    await ask(begun);
    accepted.add(begun.values[2] ?? '');
    await ask(begun);
    const rollout = await scene.product.admin.must('GET', `/secrets/${begun.name}/rollout`);
    const counted = rollout.versions.map(
      (row: { version: number; requests_since_rotation: number }) => [
        row.version,
        row.requests_since_rotation,
      ],
    );
    expect(counted).toEqual([
      [2, 3],
      [1, 2],
    ]);
    expect(rollout.safe_to_revoke).toBe(false);
    expect(rollout.reason).toContain('may still step in');
  });
});

describe('the version before stays out', () => {
  const requests: readonly [string, { method?: string; path?: string; body?: string }][] = [
    ['of a POST', { method: 'POST', body: '{}' }],
    ['of a DELETE', { method: 'DELETE' }],
    ['of a GET with a body', { body: 'x' }],
    ['once something reached the client', { path: '/hints' }],
  ];
  test.each(requests)('%s', async (_what, plan) => {
    const begun = await begin();
    await rotate(begun, 600);
    accepted.add(begun.values[1] ?? '');
    const answer = await ask(begun, plan);
    expect([answer.status, answer.text()]).toEqual([401, 'no']);
    expect(sentVersions(begun)).toEqual([2]);
  });

  const changes: readonly [string, (begun: Begun) => Promise<unknown>][] = [
    ['of a rotation that asked for none', (begun) => rotate(begun)],
    [
      'after a rollback',
      ({ name }) => scene.product.admin.must('POST', `/secrets/${name}/rollback`, { version: 1 }),
    ],
    [
      'once the secret was disabled, also when it is enabled again',
      async ({ name }) => {
        await scene.product.admin.must('PATCH', `/secrets/${name}`, { disabled: true });
        await scene.product.admin.must('PATCH', `/secrets/${name}`, { disabled: false });
      },
    ],
    [
      'of a secret that goes further now',
      ({ name, values }) =>
        scene.product.admin.must('PATCH', `/secrets/${name}`, {
          hosts: [HOST, 'other.example.test'],
          value: values.at(-1),
        }),
    ],
    [
      'when the overlap was ended by hand',
      ({ name }) => scene.product.admin.must('PATCH', `/secrets/${name}`, { overlap_seconds: 0 }),
    ],
  ];
  test.each(changes)('%s', async (_what, change) => {
    const begun = await begin();
    await rotate(begun, 600);
    await change(begun);
    expect((await ask(begun)).status).toBe(401);
    expect(sentVersions(begun)).toHaveLength(1);
    const secret = await scene.product.admin.must('GET', `/secrets/${begun.name}`);
    expect(secret.overlap_ends_at).toBeNull();
  });

  test('when the overlap has ended by itself', async () => {
    const begun = await begin();
    await rotate(begun, 1);
    accepted.add(begun.values[1] ?? '');
    expect((await ask(begun)).status).toBe(200);
    await eventually(async () => {
      const secret = await scene.product.admin.must('GET', `/secrets/${begun.name}`);
      expect(secret.overlap_ends_at).toBeNull();
    });
    expect((await ask(begun)).status).toBe(401);
  });

  test('of a binding that stays with a version', async () => {
    const begun = await begin();
    await rotate(begun);
    await rotate(begun, 600);
    const pinned = await scene.product.createSandbox({
      secrets: { KEY: `default:default:${begun.name}:2` },
    });
    await ask({ ...begun, sandbox: pinned });
    expect(sentVersions(begun)).toEqual([2]);
    scene.origin.clear();
    await ask(begun);
    expect(sentVersions(begun)).toEqual([3, 2]);
  });

  const meanwhile: readonly [string, (begun: Begun) => Promise<unknown>][] = [
    ['deleted', ({ name }) => scene.product.admin.must('DELETE', `/secrets/${name}`)],
    [
      'disabled',
      ({ name }) => scene.product.admin.must('PATCH', `/secrets/${name}`, { disabled: true }),
    ],
    ['rotated', (begun) => rotate(begun, 600)],
    [
      'rolled back',
      ({ name }) => scene.product.admin.must('POST', `/secrets/${name}/rollback`, { version: 1 }),
    ],
  ];
  test.each(meanwhile)('of a secret %s while the origin was answering', async (_what, change) => {
    const begun = await begin();
    await rotate(begun, 600);
    accepted.add(begun.values[1] ?? '');
    changeMeanwhile.run = async () => {
      changeMeanwhile.run = null;
      await change(begun);
    };
    // All of it, although it was held back while this was decided.
    const answer = await ask(begun, { path: '/long' });
    expect([answer.status, answer.body.length]).toEqual([401, LONG.length]);
    expect(sentVersions(begun)).toEqual([2]);
  });
});
