/** Versions through the API: list, rollback, rollout, retention, overlap, who may, what is recorded. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuthFailure } from '../../src/usage/usage-store.ts';
import { startAdminFixture, type AdminFixture } from './admin-fixture.ts';

let admin: AdminFixture;
let count = 0;

beforeAll(async () => {
  admin = await startAdminFixture({ versionsKept: 3 });
});

afterAll(() => admin[Symbol.asyncDispose]());

/** A secret with so many versions; value `value-N` each. */
async function makeSecret(versions = 1): Promise<string> {
  count += 1;
  const name = `versioned_${count}`;
  const answer = await admin.call('POST', '/secrets', {
    name,
    value: 'value-1',
    auth: { type: 'bearer' },
    hosts: ['api.example.com'],
  });
  expect(answer.status).toBe(201);
  for (let version = 2; version <= versions; version += 1) await rotate(name, version);
  return name;
}

async function rotate(name: string, version: number, more: Readonly<Record<string, unknown>> = {}) {
  const body = { value: `value-${version}`, ...more };
  const answer = await admin.call('PATCH', `/secrets/${name}`, body);
  expect([answer.status, answer.json.version]).toEqual([200, version]);
  return answer.json;
}

async function rollback(name: string, version: unknown, key?: string) {
  return admin.call('POST', `/secrets/${name}/rollback`, { version }, key);
}

async function versionsOf(name: string) {
  const answer = await admin.call('GET', `/secrets/${name}/versions`);
  return answer.json as readonly {
    readonly version: number;
    readonly active: boolean;
    readonly destroyed: boolean;
    readonly last_used_at: string | null;
  }[];
}

async function rolloutOf(name: string) {
  return (await admin.call('GET', `/secrets/${name}/rollout`)).json;
}

async function readSecret(name: string) {
  const row = await admin.store.secrets.readSecret(await organizationId(), name);
  if (row === undefined) throw new Error(`no ${name}`);
  return row.secret;
}

async function organizationId(): Promise<string> {
  return (await admin.store.organizations.listOrganizations())[0]?.id ?? '';
}

/** The active version goes out so many times. */
async function use(name: string, times: number): Promise<void> {
  const { id: secretId, activeVersionId: versionId, rotation } = await readSecret(name);
  for (let time = 0; time < times; time += 1) {
    admin.usage.markUsed(secretId, versionId, admin.clock.nowMs());
    admin.usage.countRequest({ secretId, versionId, rotation });
  }
}

/** When it was, as the API writes it. */
async function refuse(name: string, kind: AuthFailure['kind']): Promise<string> {
  const secret = await readSecret(name);
  const atMs = admin.clock.nowMs();
  admin.usage.markAuthFailure({
    organizationId: secret.organizationId,
    sandboxId: 'box',
    secretId: secret.id,
    versionId: secret.activeVersionId,
    version: secret.version,
    host: 'api.example.com',
    kind,
    atMs,
  });
  return new Date(atMs).toISOString();
}

describe('rollback', () => {
  test('makes an earlier version active, is announced and recorded', async () => {
    const name = await makeSecret(2);
    const before = (await admin.call('GET', `/secrets/${name}`)).json;
    admin.clock.advance(5_000);
    const announced = admin.changes.length;
    const answer = await rollback(name, 1);
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ id: before.id, version: 1, overlap_ends_at: null });
    const laterMs = Date.parse(answer.json.rotated_at) - Date.parse(before.rotated_at);
    expect(laterMs).toBeGreaterThanOrEqual(5_000);
    expect(admin.changes.slice(announced)).toMatchObject([{ kind: 'secret', secretId: before.id }]);
    expect((await versionsOf(name)).map((row) => [row.version, row.active])).toEqual([
      [2, false],
      [1, true],
    ]);
    const activity = await admin.call('GET', `/activity?target=${before.id}&limit=1`);
    expect(activity.json.data[0]).toMatchObject({
      action: 'secret.rollback',
      before: { version: 2 },
      after: { version: 1 },
    });
  });

  test('a rotation after it gets the highest number there ever was, plus one', async () => {
    const name = await makeSecret(3);
    await rollback(name, 1);
    await rotate(name, 4);
    await rollback(name, 3);
    await rotate(name, 5);
    expect((await versionsOf(name)).map((row) => row.version)).toEqual([5, 4, 3, 2, 1]);
  });

  test('to the active version changes nothing', async () => {
    const name = await makeSecret(2);
    const before = (await admin.call('GET', `/secrets/${name}`)).json;
    const answer = await rollback(name, 2);
    expect([answer.status, answer.json]).toEqual([200, before]);
  });

  test('to none that exists is 400, to one that is destroyed or was not given for here 409', async () => {
    const name = await makeSecret(5);
    const unknown = await rollback(name, 9);
    expect([unknown.status, unknown.json.error.details[0].path]).toEqual([400, 'version']);
    const destroyed = await rollback(name, 2);
    expect([destroyed.status, destroyed.json.error.code]).toEqual([409, 'conflict']);
    expect(destroyed.json.error.message).toContain('secrets.versions_kept');
    const further = { hosts: ['api.example.com', 'b.example.com'] };
    await rotate(name, 6, further);
    const earlier = await rollback(name, 5);
    expect([earlier.status, earlier.json.error.code]).toEqual([409, 'conflict']);
    expect(earlier.json.error.message).toContain('versions from 6 on');
    expect((await rollback('nothing_there', 1)).status).toBe(404);
    expect((await rollback(`default:default:${name}:6`, 5)).status).toBe(400);
    for (const wrong of [0, -1, 1.5, '1', null]) {
      expect((await rollback(name, wrong)).status).toBe(400);
    }
  });

  test('of many at once one after the other, none lost', async () => {
    const name = await makeSecret(3);
    const answers = await Promise.all([1, 2, 3, 1, 2].map((version) => rollback(name, version)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const active = (await versionsOf(name)).filter((row) => row.active);
    expect(active).toHaveLength(1);
    expect((await admin.call('GET', `/secrets/${name}`)).json.version).toBe(active[0]?.version);
  });

  test('cannot bring a value where it was never given: after a rollback a widening cuts off what is above', async () => {
    // A façade that gives the value it gave before proves that it has that one, and only that one.
    const group = await admin.call('POST', '/api/svc/v1/secret-groups', {
      name: 'wide',
      secrets: [{ key: 'KEY', value: 'first-value-of-it' }],
    });
    const { id } = group.json.data;
    const write = (more: Readonly<Record<string, unknown>>) =>
      admin.call('PUT', `/api/svc/v1/secret-groups/${id}`, { secrets: [{ key: 'KEY', ...more }] });
    await write({ value: 'second-value-of-it' });
    expect((await rollback('wide:KEY', 1)).status).toBe(200);
    const auth = { auth: { type: 'bearer' }, hosts: ['evil.example.com'] };
    expect((await write({ value: 'first-value-of-it', ...auth })).status).toBe(200);
    const forward = await rollback('wide:KEY', 2);
    expect([forward.status, forward.json.error.code]).toEqual([409, 'conflict']);
  });
});

describe('retention', () => {
  test('destroys values beyond those kept; the façade of groups lists what can be had', async () => {
    const name = await makeSecret(5);
    expect((await versionsOf(name)).map((row) => [row.version, row.destroyed])).toEqual([
      [5, false],
      [4, false],
      [3, false],
      [2, true],
      [1, true],
    ]);
    const listed = await admin.call('POST', '/api/svc/v1/secrets', {
      secretFqns: [`default:default:${name}`],
    });
    const numbers = listed.json.data[0].secretVersions.map(
      (row: { version: number }) => row.version,
    );
    expect(numbers).toEqual([3, 4, 5]);
    expect((await admin.call('GET', `/secrets/default:default:${name}:1`)).status).toBe(404);
    const bound = await admin.call('POST', '/sandboxes', {
      name: 'late',
      secrets: { KEY: `default:default:${name}:1` },
    });
    expect([bound.status, bound.json.error.code]).toEqual([400, 'secret_not_found']);
  });

  test('leaves what a binding stays with, and what is active', async () => {
    const name = await makeSecret(1);
    const bound = await admin.call('POST', '/sandboxes', {
      name: 'pinned',
      secrets: { KEY: `default:default:${name}:1` },
    });
    expect(bound.status).toBe(201);
    for (const version of [2, 3, 4, 5]) await rotate(name, version);
    const living = (await versionsOf(name)).filter((row) => !row.destroyed);
    expect(living.map((row) => row.version)).toEqual([5, 4, 3, 1]);
    const rollout = await rolloutOf(name);
    expect(rollout.safe_to_revoke).toBe(false);
    expect(rollout.reason).toContain('stay with version 1');
  });
});

describe('rollout', () => {
  test('what each version served since the rotation, and when the old one can go', async () => {
    const name = await makeSecret(1);
    expect((await rolloutOf(name)).reason).toBe(
      'There is no other version that still has a value.',
    );
    await use(name, 4);
    await rotate(name, 2);
    await use(name, 0);
    const begun = await rolloutOf(name);
    expect(begun).toMatchObject({ active_version: 2, safe_to_revoke: false });
    expect(begun.reason).toContain('No request has used version 2');
    admin.clock.advance(1_000);
    await use(name, 3);
    await refuse(name, 'expired');
    expect((await rolloutOf(name)).reason).toContain('refused version 2 1 time(s)');
    const { id, activeVersionId } = await readSecret(name);
    admin.usage.markAccepted(id, activeVersionId);
    const done = await rolloutOf(name);
    expect(done.safe_to_revoke).toBe(true);
    expect(
      done.versions.map((row: { version: number; requests_since_rotation: number }) => [
        row.version,
        row.requests_since_rotation,
      ]),
    ).toEqual([
      [2, 3],
      [1, 0],
    ]);
    const [newest, oldest] = done.versions;
    expect(Date.parse(newest.last_used_at)).toBeGreaterThan(Date.parse(oldest.last_used_at));
  });

  test('versions show use that the store does not have yet', async () => {
    const name = await makeSecret(2);
    await use(name, 1);
    expect((await versionsOf(name)).map((row) => row.last_used_at !== null)).toEqual([true, false]);
  });
});

describe('health', () => {
  test('shows refused credentials at once, until one is accepted; updated_at stays', async () => {
    const name = await makeSecret(1);
    const before = (await admin.call('GET', `/secrets/${name}`)).json;
    expect(before).toMatchObject({
      auth_failures: 0,
      last_auth_failure_at: null,
      auth_failure_kind: null,
    });
    admin.clock.advance(3_000);
    await refuse(name, 'unknown');
    const failedAt = await refuse(name, 'wrong_scheme');
    const failing = (await admin.call('GET', `/secrets/${name}`)).json;
    expect(failing).toEqual({
      ...before,
      auth_failures: 2,
      last_auth_failure_at: failedAt,
      auth_failure_kind: 'wrong_scheme',
    });
    const listed = (await admin.call('GET', '/secrets?limit=1')).json[0];
    expect(listed).toEqual(failing);
    const { id, activeVersionId } = await readSecret(name);
    admin.usage.markAccepted(id, activeVersionId);
    expect((await admin.call('GET', `/secrets/${name}`)).json).toEqual({
      ...failing,
      auth_failures: 0,
    });
  });

  test('a new value begins anew; going back shows what was', async () => {
    const name = await makeSecret(1);
    await refuse(name, 'expired');
    const rotated = await rotate(name, 2);
    expect(rotated).toMatchObject({ auth_failures: 0, auth_failure_kind: null });
    expect((await rollback(name, 1)).json).toMatchObject({ auth_failures: 1 });
  });
});

describe('overlap_seconds', () => {
  test('is shown until it ends, and ended by the next rotation, rollback or by hand', async () => {
    const name = await makeSecret(1);
    const rotated = await rotate(name, 2, { overlap_seconds: 60 });
    const endsAtMs = Date.parse(rotated.overlap_ends_at);
    expect(endsAtMs - Date.parse(rotated.rotated_at)).toBe(60_000);
    const described = await admin.call('PATCH', `/secrets/${name}`, { description: 'x' });
    expect(described.json.overlap_ends_at).toBe(rotated.overlap_ends_at);
    expect((await rotate(name, 3)).overlap_ends_at).toBeNull();
    await rotate(name, 4, { overlap_seconds: 60 });
    const ended = await admin.call('PATCH', `/secrets/${name}`, { overlap_seconds: 0 });
    expect(ended.json.overlap_ends_at).toBeNull();
    await rotate(name, 5, { overlap_seconds: 60 });
    admin.clock.advance(60_000);
    expect((await admin.call('GET', `/secrets/${name}`)).json.overlap_ends_at).toBeNull();
  });

  test('is recorded with the rotation', async () => {
    const name = await makeSecret(1);
    const { id, overlap_ends_at: endsAt } = await rotate(name, 2, { overlap_seconds: 60 });
    const activity = await admin.call('GET', `/activity?target=${id}&limit=1`);
    expect(activity.json.data[0]).toMatchObject({
      action: 'secret.rotate',
      before: { version: 1, overlap_ends_at: null },
      after: { version: 2, overlap_ends_at: endsAt },
    });
  });

  const wrong: readonly [string, Readonly<Record<string, unknown>>][] = [
    ['without a value', { overlap_seconds: 60 }],
    ['in a change that widens', { value: 'v', overlap_seconds: 60, hosts: ['b.example.com'] }],
    ['of a disabled secret', { value: 'v', overlap_seconds: 60, disabled: true }],
    ['longer than a week', { value: 'v', overlap_seconds: 604_801 }],
    ['below zero', { value: 'v', overlap_seconds: -1 }],
    ['not whole', { value: 'v', overlap_seconds: 1.5 }],
  ];
  test.each(wrong)('%s is refused', async (_what, body) => {
    const name = await makeSecret(1);
    const answer = await admin.call('PATCH', `/secrets/${name}`, body);
    expect([answer.status, answer.json.error.details[0].path]).toEqual([400, 'overlap_seconds']);
    expect((await versionsOf(name)).length).toBe(1);
  });

  test('does not belong to a new secret', async () => {
    const body = { name: 'fresh', value: 'v', auth: { type: 'bearer' }, hosts: ['a.example.com'] };
    const answer = await admin.call('POST', '/secrets', { ...body, overlap_seconds: 5 });
    expect(answer.status).toBe(400);
  });
});

describe('who may', () => {
  async function keyOf(body: Readonly<Record<string, unknown>>): Promise<string> {
    return (await admin.call('POST', '/api-keys', { name: 'one', ...body })).json.key;
  }

  test.each([
    ['admin', 200, 200, 200],
    ['operator', 403, 200, 200],
    ['viewer', 403, 200, 403],
  ])('%s', async (role, rolledBack, read, tested) => {
    const name = await makeSecret(2);
    const key = await keyOf({ role });
    expect((await rollback(name, 1, key)).status).toBe(rolledBack);
    for (const path of ['versions', 'rollout']) {
      expect((await admin.call('GET', `/secrets/${name}/${path}`, undefined, key)).status).toBe(
        read,
      );
    }
    expect((await admin.call('POST', `/secrets/${name}/test`, {}, key)).status).toBe(tested);
  });

  test('a key narrowed to another secret, and another organization, find nothing', async () => {
    const name = await makeSecret(2);
    const { id: other } = await readSecret(await makeSecret());
    const narrowed = await keyOf({ role: 'admin', secret_ids: [other] });
    expect((await rollback(name, 1, narrowed)).status).toBe(404);
    for (const [method, path] of [
      ['GET', 'versions'],
      ['GET', 'rollout'],
      ['POST', 'test'],
    ] as const) {
      const answer = await admin.call(method, `/secrets/${name}/${path}`, undefined, narrowed);
      expect(answer.status).toBe(404);
    }
    expect((await versionsOf(name))[0]?.active).toBe(true);
  });
});

test('tests of secrets are bounded: so many a minute', async () => {
  await using own = await startAdminFixture();
  await own.call('POST', '/secrets', {
    name: 'tested',
    value: 'value',
    auth: { type: 'bearer' },
    hosts: ['api.example.com'],
  });
  const statuses: number[] = [];
  for (let round = 0; round < 31; round += 1) {
    statuses.push((await own.call('POST', '/secrets/tested/test')).status);
  }
  expect(statuses.filter((status) => status === 200)).toHaveLength(30);
  const refused = await own.call('POST', '/secrets/tested/test');
  expect([refused.status, refused.json.error.code]).toEqual([429, 'rate_limited']);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  own.clock.advance(60_000);
  expect((await own.call('POST', '/secrets/tested/test')).status).toBe(200);
});
