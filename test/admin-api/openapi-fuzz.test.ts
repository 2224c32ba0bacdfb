/**
 * The OpenAPI document as a source of requests against the whole product: fitting, almost fitting, hostile.
 * Whatever comes: no 500, no status, body or content type that the document does not promise, and never a
 * value in an answer, a log or the database (I3). Seeded; the failing request is shown as it was sent.
 */
import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AdminClient } from '../support/admin.ts';
import {
  readDocument,
  surprisesOf,
  type ApiDocument,
  type Operation,
} from '../support/api-document.ts';
import { canaryForms, mintCanary } from '../support/canary.ts';
import { callOperation } from '../support/operation-call.ts';
import { startProduct, type Product } from '../support/product.ts';
import {
  almostFittingValue,
  fittingValue,
  uglyText,
  type ArbitraryPlan,
} from '../support/schema-arbitrary.ts';
import {
  STAGED,
  STAGED_HOSTS,
  stagedPath,
  stageOrganization,
  type StagedOrganization,
} from '../support/staged-organization.ts';

const SEED = Number(process.env['OPENAPI_FUZZ_SEED'] ?? 20_261_122);
const REQUESTS_PER_OPERATION = Number(process.env['OPENAPI_FUZZ_RUNS'] ?? 40);
const RESTAGE_AFTER = 60;
const ROOT_KEY = `sp_live_${randomBytes(32).toString('base64url')}`;
const CANARY = mintCanary('not-a-real-');

let product: Product;
let root: AdminClient;
let document: ApiDocument;
let count = 0;

beforeAll(async () => {
  product = await startProduct({
    env: { SALLYPORT_ROOT_KEY: ROOT_KEY },
    hosts: STAGED_HOSTS,
    settings: { audit: { chain: 'on' } },
  });
  root = product.admin.withKey(ROOT_KEY);
  document = readDocument((await root.get('/openapi.json')).json);
});

afterAll(() => product[Symbol.asyncDispose]());

interface Shot {
  readonly role: 'admin' | 'root' | 'viewer' | 'none';
  /** `null`: what is staged. */
  readonly segment: string | null;
  readonly query: readonly (readonly [name: string, text: string])[];
  readonly body: unknown;
  readonly contentType: string | null;
  /** Behind the body. */
  readonly trailing: string;
}

function planOf(stage: StagedOrganization): ArbitraryPlan {
  const hosts = ['api.openai.com', '*.example.com', 'api.example.com', 'localhost', '10.0.0.1'];
  const names = [STAGED.secret, STAGED.alias, 'my-group:my-key', 'fresh', 'Fresh-2', 'a:b:c:d'];
  const workspaces = [...STAGED.workspaces, stage.workspaceId, 'default'];
  return {
    components: document.components,
    words: {
      name: names,
      alias: names,
      secret_name: names,
      q: names,
      secret: [...names, stage.secretId],
      key: ['my-key', 'other-key', 'third.key'],
      value: [CANARY, `${CANARY}-2`, `${CANARY}\nsecond line`, ` ${CANARY} `],
      hosts,
      host: hosts,
      headers: ['{{ value }}', 'Bearer {{ value }}', 'plain'],
      header: ['X-Api-Key', 'authorization', 'Host', 'x y'],
      paths: ['/v1/*', '/', '/a/%2e%2e/b', 'x'],
      methods: ['GET', 'POST', 'get', 'G ET'],
      provider: ['openai', 'github', 'nobody'],
      env_key: [STAGED.envKey, 'K', '1BAD'],
      secrets: names,
      sandbox: [stage.sandboxId],
      sandbox_id: [stage.sandboxId],
      workspace: workspaces,
      workspaces,
      allowed_workspaces: workspaces,
      allow_out: [...hosts, '192.0.2.0/24', '::/0', 'api.example.com:443'],
      deny_out: [...hosts, '0.0.0.0/0'],
      source_cidrs: ['10.0.0.0/8', '::1/128', '10.0.0.1/33'],
      url: [
        'https://api.openai.com/v1/x?y=z',
        'http://api.example.com/',
        'ftp://x',
        'https://[::1]:99999/',
      ],
      secretGroupId: [stage.groupId, 'default'],
      secretFqns: [`${stage.name}:my-group:my-key`, `${stage.name}:default:openai:1`, ':::'],
      subject: ['user:ann', 'serviceaccount:ci', 'team:x', 'nobody'],
      cursor: ['WzEsMl0', 'WzE3MDAwMDAwMDAwMDAsMTBd', 'W10', '{}'],
      before: ['3', 'WzEsImNvbm5lY3Rpb24iLDJd', '2026-01-01T00:00:00Z'],
      known: [`uses:1:${'0'.repeat(64)}`, 'uses:x'],
      status: ['2xx', 'errors', '404', 'active'],
      'Last-Event-ID': ['0', '5', 'x'],
      'X-Organization': [stage.id, stage.name, 'nobody'],
      'IB-Context': [stage.id, stage.name, 'nobody'],
    },
  };
}

/** A head beyond its bound is 431 before any operation is asked. */
const shortText = uglyText.filter((text) => text.length < 2_000);

function shotsAt(operation: Operation, plan: ArbitraryPlan): fc.Arbitrary<Shot> {
  const queries = operation.parameters.filter((one) => one.in === 'query');
  const fitting = queries.map(({ name, schema }) =>
    fittingValue(schema, plan, name).map((value) => [name, String(value)] as const),
  );
  const unknown = fc.tuple(
    fc.constantFrom('surprise', ...queries.map(({ name }) => name)),
    shortText,
  );
  const query = fc.oneof(
    {
      weight: 3,
      arbitrary: fc
        .tuple(...fitting)
        .chain((all) => fc.subarray(all, { maxLength: Math.min(3, all.length) })),
    },
    { weight: 1, arbitrary: fc.array(unknown, { maxLength: 2 }) },
    { weight: 2, arbitrary: fc.constant([]) },
  );
  const schema = operation.body?.schema;
  const body: fc.Arbitrary<unknown> =
    schema === undefined
      ? fc.oneof(
          { weight: 8, arbitrary: fc.constant(undefined) },
          { weight: 1, arbitrary: fc.jsonValue() },
        )
      : fc.oneof(
          { weight: 5, arbitrary: fittingValue(schema, plan) },
          { weight: 4, arbitrary: almostFittingValue(schema, plan) },
          { weight: 1, arbitrary: fc.jsonValue() },
          { weight: 1, arbitrary: fc.constant(undefined) },
        );
  return fc.record({
    role: fc.oneof(
      { weight: 8, arbitrary: fc.constant('admin' as const) },
      { weight: 1, arbitrary: fc.constantFrom('root', 'viewer', 'none') },
    ),
    segment: fc.oneof(
      { weight: 6, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: shortText.filter((text) => text !== '') },
    ),
    query,
    body,
    contentType: fc.oneof(
      { weight: 6, arbitrary: fc.constant('application/json') },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          null,
          'text/plain',
          'application/xml; q="',
          'multipart/form-data',
        ),
      },
    ),
    trailing: fc.oneof(
      { weight: 12, arbitrary: fc.constant('') },
      { weight: 1, arbitrary: uglyText },
    ),
  });
}

/** What goes over the wire. */
function requestOf(operation: Operation, shot: Shot, stage: StagedOrganization, viewerKey: string) {
  const staged = stagedPath(operation.path, stage);
  const text = shot.segment?.toWellFormed();
  const named =
    text === undefined || !operation.path.includes('{')
      ? staged
      : operation.path.replaceAll(/\{\w+\}/g, () =>
          encodeURIComponent(text).replaceAll('.', '%2E'),
        );
  const search = new URLSearchParams(
    shot.query.map(([name, value]): [string, string] => [name, value]),
  ).toString();
  const keys = { admin: stage.admin.key, root: ROOT_KEY, viewer: viewerKey, none: '' };
  const hasBody = operation.method !== 'GET' && shot.body !== undefined;
  return {
    origin: root.origin,
    method: operation.method,
    path: search === '' ? named : `${named}?${search}`,
    headers: {
      ...(shot.role === 'none' ? {} : { 'x-api-key': keys[shot.role] }),
      ...(shot.role === 'root' ? { 'x-organization': stage.id } : {}),
      ...(shot.contentType === null ? {} : { 'content-type': shot.contentType }),
    },
    ...(hasBody ? { body: Buffer.from(JSON.stringify(shot.body) + shot.trailing) } : {}),
  };
}

async function restage(): Promise<{
  readonly stage: StagedOrganization;
  readonly viewerKey: string;
}> {
  count += 1;
  const stage = await stageOrganization(root, `fuzz-${count}`);
  const viewer = await stage.admin.must('POST', '/api-keys', { name: 'v', role: 'viewer' });
  return { stage, viewerKey: viewer.key };
}

test('whatever is sent, answers are as documented and hold no value (I3)', async () => {
  const forms = canaryForms(CANARY).map(({ text }) => text);
  const failed: string[] = [];
  const statuses = new Map<number, number>();
  for (const [index, operation] of document.operations.entries()) {
    let { stage, viewerKey } = await restage();
    const arbitrary = shotsAt(operation, planOf(stage));
    const shots = fc.sample(arbitrary, { seed: SEED + index, numRuns: REQUESTS_PER_OPERATION });
    for (const [number, shot] of shots.entries()) {
      if (number % RESTAGE_AFTER === RESTAGE_AFTER - 1) ({ stage, viewerKey } = await restage());
      const request = requestOf(operation, shot, stage, viewerKey);
      const answer = await callOperation(request);
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      const heads = [...answer.headers].flat().join('\n');
      const shown = forms.filter((form) => (answer.text + heads).includes(form));
      const surprises = [
        ...(answer.status >= 500 ? [`status ${answer.status}`] : []),
        ...surprisesOf(document, operation, answer),
        ...shown.map((form) => `I3: shows the value as ${form}`),
      ];
      if (surprises.length === 0) continue;
      const sent = `${request.method} ${request.path} ${String(request.body)}`.slice(0, 600);
      failed.push(`${operation.id}: ${surprises.slice(0, 3).join('; ').slice(0, 600)} for ${sent}`);
    }
  }
  expect(failed).toEqual([]);
  // It got through to what it aims at, and not only to the door.
  for (const status of [200, 201, 204, 400, 401, 403, 404, 409, 422]) {
    expect([status, statuses.get(status) ?? 0]).toEqual([status, expect.any(Number)]);
    expect(statuses.get(status) ?? 0, `answers of ${status}`).toBeGreaterThan(10);
  }
  await product.assertNoLeak(CANARY);
}, 900_000);
