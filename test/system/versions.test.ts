/**
 * Versions as sandboxes see them: a rollback reaches the next request of an open tunnel and closes nothing,
 * requests are counted exactly, and how origins take a credential is known at once.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { valuesOf } from '../support/origin.ts';
import { endless, reply } from '../support/origin-replies.ts';
import type { Scene } from '../support/scene.ts';
import { startScene } from '../support/scene.ts';

const HOST = 'api.example.test';
let scene: Scene;
let count = 0;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST],
    handlers: {
      '/expired': reply(401, 'no', ['WWW-Authenticate', 'Bearer error_description="expired"']),
      '/basic': reply(401, 'no', ['WWW-Authenticate', 'Basic realm="x"']),
      '/forbidden': reply(403, 'no'),
      '/limited': reply(403, 'no', ['Retry-After', '1']),
      '/missing': reply(404, 'no'),
      '/endless': endless(),
    },
  });
});

afterAll(() => scene[Symbol.asyncDispose]());

interface Begun {
  readonly name: string;
  readonly values: string[];
  readonly sandbox: Awaited<ReturnType<Scene['product']['createSandbox']>>;
}

async function begin(): Promise<Begun> {
  count += 1;
  const name = `versions_${count}`;
  const values = ['', mintCanary()];
  const more = { auth: { type: 'bearer' }, hosts: [HOST] };
  await scene.product.createSecret(name, values[1] ?? '', more);
  const sandbox = await scene.product.createSandbox({ secrets: { KEY: name } });
  return { name, values, sandbox };
}

async function rotate({ name, values }: Begun): Promise<void> {
  const value = mintCanary();
  values.push(value);
  await scene.product.admin.must('PATCH', `/secrets/${name}`, { value });
}

function lastVersion({ values }: Begun): number {
  const [sent = ''] = valuesOf(scene.origin.last.rawHeaders, 'authorization');
  return values.indexOf(sent.replace(/^Bearer /, ''));
}

async function read(path: string) {
  return scene.product.admin.must('GET', path);
}

describe('a rollback', () => {
  test('reaches the next request of an open tunnel, and closes nothing', async () => {
    const begun = await begin();
    await rotate(begun);
    using tunnel = await scene.product.openTunnel(begun.sandbox, `${HOST}:443`);
    using stream = await scene.product.openTunnel(begun.sandbox, `${HOST}:443`);
    stream.sendRequest({ path: '/endless' });
    await stream.readHead();
    await tunnel.request({ path: '/' });
    expect(lastVersion(begun)).toBe(2);
    await scene.product.admin.must('POST', `/secrets/${begun.name}/rollback`, { version: 1 });
    await tunnel.request({ path: '/' });
    expect(lastVersion(begun)).toBe(1);
    await rotate(begun);
    await tunnel.request({ path: '/' });
    expect(lastVersion(begun)).toBe(3);
    expect(stream.socket.destroyed).toBe(false);
    stream.reset();
    const rows = await read(`/secrets/${begun.name}/versions`);
    expect(rows.map((row: { version: number }) => row.version)).toEqual([3, 2, 1]);
    await scene.product.assertNoLeak(begun.values.slice(1));
  });

  test('to a destroyed version is refused, and the secret goes on as it was', async () => {
    const begun = await begin();
    for (let round = 0; round < 10; round += 1) await rotate(begun);
    const path = `/secrets/${begun.name}/rollback`;
    const answer = await scene.product.admin.post(path, { version: 1 });
    expect([answer.status, answer.json.error.code]).toEqual([409, 'conflict']);
    using tunnel = await scene.product.openTunnel(begun.sandbox, `${HOST}:443`);
    await tunnel.request({ path: '/' });
    expect(lastVersion(begun)).toBe(11);
  });
});

describe('requests by version', () => {
  test('are as many as were sent, also by 200 at once across a rotation and a flush', async () => {
    const begun = await begin();
    const { sandbox, name } = begun;
    const ask = async (): Promise<void> => {
      using tunnel = await scene.product.openTunnel(sandbox, `${HOST}:443`);
      for (let round = 0; round < 2; round += 1) {
        expect((await tunnel.request({ path: '/', timeoutMs: 30_000 })).status).toBe(200);
      }
    };
    await Promise.all(Array.from({ length: 20 }, ask));
    await rotate(begun);
    await Promise.all(Array.from({ length: 100 }, ask));
    const rollout = await read(`/secrets/${name}/rollout`);
    expect(rollout).toMatchObject({ active_version: 2, safe_to_revoke: true });
    const counted = rollout.versions.map(
      (row: { version: number; requests_since_rotation: number }) => [
        row.version,
        row.requests_since_rotation,
      ],
    );
    expect(counted).toEqual([
      [2, 200],
      [1, 0],
    ]);
    await scene.product.restart('stop');
    expect((await read(`/secrets/${name}/rollout`)).versions).toEqual(rollout.versions);
  });

  test('a binding that stays with the version before keeps its value from being revoked', async () => {
    const begun = await begin();
    const pinned = await scene.product.createSandbox({
      secrets: { KEY: `default:default:${begun.name}:1` },
    });
    await rotate(begun);
    for (const sandbox of [begun.sandbox, pinned]) {
      using tunnel = await scene.product.openTunnel(sandbox, `${HOST}:443`);
      await tunnel.request({ path: '/' });
    }
    expect(lastVersion(begun)).toBe(1);
    const path = `/secrets/${begun.name}/rollout`;
    const rollout = await read(path);
    expect(rollout).toMatchObject({
      safe_to_revoke: false,
      reason: '1 binding(s) of sandboxes stay with version 1.',
      versions: [
        { version: 2, requests_since_rotation: 1, pinned_bindings: 0 },
        { version: 1, requests_since_rotation: 1, pinned_bindings: 1 },
      ],
    });
    await scene.product.admin.must('DELETE', `/sandboxes/${pinned.id}/secrets/KEY`);
    expect((await read(path)).safe_to_revoke).toBe(true);
  });
});

describe('the health of a secret', () => {
  test('counts refusals of origins since one accepted it, with why', async () => {
    const begun = await begin();
    using tunnel = await scene.product.openTunnel(begun.sandbox, `${HOST}:443`);
    const seen: [string, number, string | null][] = [];
    const before = await read(`/secrets/${begun.name}`);
    for (const path of ['/expired', '/missing', '/basic', '/limited', '/forbidden', '/']) {
      await tunnel.request({ path });
      const secret = await read(`/secrets/${begun.name}`);
      seen.push([path, secret.auth_failures, secret.auth_failure_kind]);
      expect(secret.updated_at).toBe(before.updated_at);
    }
    expect(seen).toEqual([
      ['/expired', 1, 'expired'],
      ['/missing', 1, 'expired'],
      ['/basic', 2, 'wrong_scheme'],
      ['/limited', 2, 'wrong_scheme'],
      ['/forbidden', 3, 'scope'],
      ['/', 0, 'scope'],
    ]);
  });

  test("the client's own credential, kept, says nothing of it", async () => {
    const begun = await begin();
    await scene.product.admin.must('PATCH', `/secrets/${begun.name}`, { on_existing: 'keep' });
    using tunnel = await scene.product.openTunnel(begun.sandbox, `${HOST}:443`);
    await tunnel.request({ path: '/expired', fields: ['Authorization', 'Bearer mine'] });
    expect((await read(`/secrets/${begun.name}`)).auth_failures).toBe(0);
  });
});
