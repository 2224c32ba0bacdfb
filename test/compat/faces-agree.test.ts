/**
 * Random sequences of writes through all three faces leave one state, and every face shows that one: checked
 * against a model of a few lines.
 */
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAdminFixture, type AdminFixture } from '../admin-api/admin-fixture.ts';
import { bearer, GROUPS, IB, SECRETS } from './facade-call.ts';

let admin: AdminFixture;

beforeAll(async () => {
  admin = await startAdminFixture();
});

afterAll(() => admin[Symbol.asyncDispose]());

/** Name → its values, oldest first. */
type Model = Map<string, string[]>;

interface Operation {
  readonly run: (model: Model) => Promise<void>;
  readonly toString: () => string;
}

const name = fc.constantFrom('a', 'b', 'c');
const group = fc.constantFrom('g', 'h');
const value = fc.constantFrom('not-a-real-1', 'not-a-real-2', 'not-a-real-3');
const keys = fc.uniqueArray(fc.record({ key: name, value: fc.option(value, { nil: undefined }) }), {
  selector: ({ key }) => key,
  maxLength: 3,
});

function operation(words: string, run: Operation['run']): Operation {
  return { run, toString: () => words };
}

async function expectStatus(
  answer: Promise<{ readonly status: number }>,
  status: number,
): Promise<void> {
  expect((await answer).status).toBe(status);
}

const createNative = (one: string, its: string): Operation =>
  operation(`native create ${one}`, async (model) => {
    const body = { name: one, value: its, provider: 'openai' };
    await expectStatus(admin.call('POST', '/secrets', body), model.has(one) ? 409 : 201);
    if (!model.has(one)) model.set(one, [its]);
  });

const rotateNative = (one: string, its: string): Operation =>
  operation(`native rotate ${one}`, async (model) => {
    const known = model.get(one);
    await expectStatus(
      admin.call('PATCH', `/secrets/${one}`, { value: its }),
      known === undefined ? 404 : 200,
    );
    known?.push(its);
  });

const deleteNative = (one: string): Operation =>
  operation(`native delete ${one}`, async (model) => {
    await expectStatus(admin.call('DELETE', `/secrets/${one}`), model.delete(one) ? 204 : 404);
  });

const createAlias = (alias: string, its: string): Operation =>
  operation(`alias create ${alias}`, async (model) => {
    const body = { alias, value: its, allowed_workspaces_type: 'ALL' };
    await expectStatus(bearer(admin, 'POST', IB, body), model.has(alias) ? 409 : 200);
    if (!model.has(alias)) model.set(alias, [its]);
  });

const patchAlias = (alias: string, its: string): Operation =>
  operation(`alias patch ${alias}`, async (model) => {
    const known = model.get(alias);
    const answer = bearer(admin, 'PATCH', IB, { alias, value: its });
    await expectStatus(answer, known === undefined ? 404 : 200);
    known?.push(its);
  });

const deleteAlias = (alias: string): Operation =>
  operation(`alias delete ${alias}`, async (model) => {
    await expectStatus(bearer(admin, 'DELETE', IB, { alias }), model.delete(alias) ? 200 : 404);
  });

/** The full set, whether the group is there or not. */
const writeGroup = (
  of: string,
  set: readonly { readonly key: string; readonly value: string | undefined }[],
): Operation =>
  operation(`group ${of} = ${set.map(({ key }) => key).join()}`, async (model) => {
    const manifest = { type: 'secret-group', name: of };
    const { json } = await bearer(admin, 'PUT', GROUPS, { manifest });
    const isComplete = set.every(
      ({ key, value: its }) => its !== undefined || model.has(`${of}:${key}`),
    );
    const path = `${GROUPS}/${json.data.id}`;
    await expectStatus(bearer(admin, 'PUT', path, { secrets: set }), isComplete ? 200 : 422);
    if (!isComplete) return;
    const kept = new Set(set.map(({ key }) => `${of}:${key}`));
    for (const known of model.keys()) {
      if (known.startsWith(`${of}:`) && !kept.has(known)) model.delete(known);
    }
    for (const { key, value: its } of set) {
      const values = model.get(`${of}:${key}`) ?? [];
      if (its !== undefined && values.at(-1) !== its) values.push(its);
      model.set(`${of}:${key}`, values);
    }
  });

const operations = fc.array(
  fc.oneof(
    fc.tuple(name, value).map((args) => createNative(...args)),
    fc.tuple(fc.oneof(name, fc.constant('g:a')), value).map((args) => rotateNative(...args)),
    fc.oneof(name, fc.constant('g:b')).map(deleteNative),
    fc.tuple(name, value).map((args) => createAlias(...args)),
    fc.tuple(fc.oneof(name, fc.constant('h:a')), value).map((args) => patchAlias(...args)),
    fc.oneof(name, fc.constant('h:b')).map(deleteAlias),
    fc.tuple(group, keys).map((args) => writeGroup(...args)),
  ),
  { minLength: 1, maxLength: 14 },
);

/** What each face shows, as name → number of versions. */
async function shown(): Promise<readonly Record<string, number>[]> {
  const native: Record<string, number> = {};
  for (const one of (await admin.call('GET', '/secrets?include=unplaced')).json) {
    const versions = await admin.call('GET', `/secrets/${one.name}/versions`);
    native[one.name] = versions.json.length;
  }
  const aliases: Record<string, number> = {};
  for (const { alias } of (await bearer(admin, 'GET', IB)).json.secrets) {
    aliases[alias] = native[alias] ?? 0;
  }
  const grouped: Record<string, number> = {};
  for (const secret of (await bearer(admin, 'POST', SECRETS, { limit: 1_000 })).json.data) {
    const fqn = String(secret.fqn).replace(/^default:(default:)?/, '');
    grouped[fqn] = secret.secretVersions.length;
  }
  return [native, aliases, grouped];
}

async function clear(): Promise<void> {
  for (const { name: one } of (await admin.call('GET', '/secrets?include=unplaced')).json) {
    await admin.call('DELETE', `/secrets/${one}`);
  }
}

test('whatever is written through any face, all show one state', async () => {
  await fc.assert(
    fc.asyncProperty(operations, async (steps) => {
      await clear();
      const model: Model = new Map();
      for (const step of steps) await step.run(model);
      const expected = Object.fromEntries([...model].map(([key, values]) => [key, values.length]));
      for (const face of await shown()) expect(face).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});
