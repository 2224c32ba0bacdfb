/**
 * Two organizations with the same names for everything, one of everything each, and traffic in both. Every
 * operation of the OpenAPI document is called about what belongs to the other: the answer is the one for what
 * is not there, to the byte, and the other is as it was. What lists, trails and streams show is one's own.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AdminClient } from '../support/admin.ts';
import {
  readDocument,
  surprisesOf,
  type ApiDocument,
  type Operation,
} from '../support/api-document.ts';
import { eventually } from '../support/eventually.ts';
import { resolveSchema, type Components } from '../support/json-schema.ts';
import { callOperation, type OperationAnswer } from '../support/operation-call.ts';
import { startScene, type Scene } from '../support/scene.ts';
import {
  STAGED,
  stagedPath,
  stageOrganization,
  type StagedOrganization,
} from '../support/staged-organization.ts';

const ROOT_KEY = `sp_live_${randomBytes(32).toString('base64url')}`;
/** In the other organization only. */
const ONLY_THEIRS = 'only_theirs';

let scene: Scene;
let root: AdminClient;
let ours: StagedOrganization;
let theirs: StagedOrganization;
let theirWorkspaceId: string;
let document: ApiDocument;
let operations: readonly Operation[];
let components: Components;

beforeAll(async () => {
  scene = await startScene({
    names: [STAGED.host],
    hosts: { 'hooks.example.com': '127.0.0.1:1' },
    env: { SALLYPORT_ROOT_KEY: ROOT_KEY },
    settings: { audit: { chain: 'on' } },
  });
  root = scene.product.admin.withKey(ROOT_KEY);
  document = readDocument((await root.get('/openapi.json')).json);
  ({ operations, components } = document);
  ours = await stageOrganization(root, 'ours');
  theirs = await stageOrganization(root, 'theirs');
  await theirs.admin.must('POST', '/secrets', {
    name: ONLY_THEIRS,
    value: theirs.values[0],
    provider: 'openai',
  });
  const { id } = await theirs.admin.must('POST', '/workspaces', { name: ONLY_THEIRS });
  theirWorkspaceId = id;
  for (const { proxyToken } of [ours, theirs]) await useSecret(proxyToken);
  await eventually(async () => {
    if ((await trailOf(theirs)).length < 2) throw new Error('the trail is not written yet');
  });
});

afterAll(() => scene[Symbol.asyncDispose]());

/** One exchange that uses the staged secret, one that is refused. */
async function useSecret(token: string): Promise<void> {
  const { product } = scene;
  using tunnel = await product.openTunnel({ token }, `${STAGED.host}:443`);
  expect((await tunnel.request({ path: '/v1/models' })).status).toBe(200);
  await expect(product.openTunnel({ token }, '10.0.0.1:443')).rejects.toThrow('403');
}

/** What an operation can be about, in an organization or in none. */
interface Target extends StagedOrganization {
  readonly workspaceName: string;
}

function foreign(): Target {
  return {
    ...theirs,
    workspaceId: theirWorkspaceId,
    secretName: ONLY_THEIRS,
    workspaceName: ONLY_THEIRS,
  };
}

function absent(): Target {
  const ids = ['sandboxId', 'groupId', 'groupedSecretId', 'webhookId', 'apiKeyId'] as const;
  return {
    ...theirs,
    ...Object.fromEntries(ids.map((id) => [id, randomUUID()])),
    id: randomUUID(),
    name: 'nobody',
    secretId: randomUUID(),
    workspaceId: randomUUID(),
    secretName: 'only_nobodys',
    workspaceName: 'only_nobodys',
  };
}

/** Of one's own organization, beyond the reach of a narrowed key. The group is in reach, without its secrets. */
function beyond(): Target {
  const { id, name, groupId } = absent();
  return { ...foreign(), id, name, groupId };
}

type Variant = (target: Target) => {
  readonly query?: string;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** About a thing of one's own, as the path says it. */
  readonly isOwnPath?: true;
};

const body =
  (make: (target: Target) => Readonly<Record<string, unknown>>, isOwnPath?: true): Variant =>
  (target) => ({ body: make(target), ...(isOwnPath === undefined ? {} : { isOwnPath }) });
const query =
  (make: (target: Target) => string, isOwnPath?: true): Variant =>
  (target) => ({ query: make(target), ...(isOwnPath === undefined ? {} : { isOwnPath }) });

const some = (workspace: string) => ({
  allowed_workspaces_type: 'SOME',
  allowed_workspaces: [workspace],
});
const openai = { provider: 'openai', value: 'not-a-real-value-0001' };

/** Where else than in the path an operation can name something of the other organization. */
const VARIANTS: Readonly<Record<string, readonly Variant[]>> = {
  createSecret: [
    body(({ workspaceId }) => ({ name: 'x1', ...openai, ...some(workspaceId) })),
    body(({ workspaceName }) => ({ name: 'x2', ...openai, ...some(workspaceName) })),
    body(({ name }) => ({ name: `${name}:my-group:other-key`, ...openai })),
  ],
  updateSecret: [body(({ workspaceId }) => some(workspaceId), true)],
  listSecrets: [query(({ secretName }) => `q=${secretName}&include=unplaced`)],
  testSecret: [body(({ sandboxId }) => ({ sandbox: sandboxId }), true)],
  createSandbox: [
    body(({ workspaceId }) => ({ name: 'x', workspace: workspaceId })),
    body(({ workspaceName }) => ({ name: 'x', workspace: workspaceName })),
    body(({ name }) => ({ name: 'x', secrets: { K: `${name}:default:openai` } })),
    body(({ name }) => ({ name: 'x', secrets: { K: `tfy-secret://${name}:my-group:my-key:1` } })),
  ],
  attachSecret: [
    body(({ secretName }) => ({ env_key: 'K', secret_name: secretName }), true),
    body(({ secretId }) => ({ env_key: 'K', secret_name: secretId }), true),
    body(({ name }) => ({ env_key: 'K', secret_name: `${name}:my-group:my-key` }), true),
  ],
  listSandboxes: [query(({ sandboxId }) => `metadata.id=${sandboxId}`)],
  listActivity: [query(({ secretId }) => `target=${secretId}`)],
  listAudit: [
    query(({ sandboxId }) => `sandbox=${sandboxId}`),
    query(({ secretId }) => `secret=${secretId}`),
    query(({ secretName }) => `secret=${secretName}`),
    query(({ sandboxId }) => `sandbox=${sandboxId}&format=ndjson`),
    query(({ secretId }) => `secret=${secretId}&format=csv`),
  ],
  createApiKey: [
    body(({ workspaceId }) => ({ name: 'x', workspaces: [workspaceId] })),
    body(({ workspaceName }) => ({ name: 'x', workspaces: [workspaceName] })),
    body(({ secretId }) => ({ name: 'x', secret_ids: [secretId] })),
    body(({ secretName }) => ({ name: 'x', secret_ids: [secretName] })),
  ],
  explain: [
    body(({ sandboxId }) => ({ sandbox: sandboxId, method: 'GET', url: 'https://x.example/' })),
  ],
  createInstabaseSecret: [
    body(({ workspaceName }) => ({ alias: 'x', value: 'y', ...some(workspaceName) })),
  ],
  updateInstabaseSecret: [
    body(({ secretName }) => ({ alias: secretName, description: 'x' })),
    body(({ workspaceId }) => ({ alias: STAGED.alias, ...some(workspaceId) })),
    (target) => ({ body: { alias: STAGED.alias }, headers: { 'ib-context': target.name } }),
  ],
  deleteInstabaseSecret: [
    body(({ secretName }) => ({ alias: secretName })),
    (target) => ({ body: { alias: STAGED.alias }, headers: { 'ib-context': target.id } }),
  ],
  listInstabaseSecrets: [
    query(({ secretName }) => `alias=${secretName}`),
    query(({ workspaceName }) => `workspace=${workspaceName}`),
    query(({ workspaceId }) => `workspace=${workspaceId}`),
    (target) => ({ headers: { 'ib-context': target.id } }),
  ],
  listSecretGroups: [query(({ name }) => `fqn=${name}:my-group`)],
  listGroupedSecrets: [
    body(({ groupId }) => ({ secretGroupId: groupId, withValue: true })),
    body(({ name }) => ({ secretFqns: [`${name}:my-group:my-key`], withValue: true })),
  ],
};

/** Who asks, and what of its own it has. */
interface Caller {
  readonly key: string;
  readonly own: StagedOrganization;
}

async function ask(
  operation: Operation,
  target: Target,
  { key, own }: Caller,
  variant: Variant | null,
): Promise<OperationAnswer> {
  const more = variant?.(target) ?? {};
  const path = stagedPath(operation.path, more.isOwnPath === undefined ? target : own);
  const schema = operation.body && resolveSchema(operation.body.schema, components);
  return callOperation({
    origin: root.origin,
    method: operation.method,
    path: more.query === undefined ? path : `${path}?${more.query}`,
    headers: { 'x-api-key': key, ...more.headers },
    body: more.body ?? schema?.['example'],
  });
}

const ROLES = ['admin', 'operator', 'viewer'] as const;

/** A key of our organization. */
async function stranger(role: string): Promise<Caller> {
  const { key } = await ours.admin.must('POST', '/api-keys', { name: role, role });
  return { key, own: ours };
}

/** A key of theirs that reaches the empty workspace and one secret, and a sandbox there that has it. */
async function narrowed(role: string): Promise<Caller> {
  const { admin } = theirs;
  const workspace = 'empty';
  const reach = { workspaces: [workspace], secret_ids: [STAGED.alias] };
  const { key } = await admin.must('POST', '/api-keys', { name: role, role, ...reach });
  const secrets = { K1: STAGED.alias };
  const { id } = await admin.must('POST', '/sandboxes', { name: role, workspace, secrets });
  return { key, own: { ...theirs, sandboxId: id, secretName: STAGED.alias } };
}

/** Without what names this very call or what it asked for, which may be said again. */
function comparable({ status, text, headers }: OperationAnswer, target: Target): string {
  const said = Object.entries(target)
    .filter(([name, value]) => typeof value === 'string' && name !== 'proxyToken')
    .map(([, value]) => String(value))
    .toSorted((one, other) => other.length - one.length);
  const blank = (one: string): string =>
    said.reduce((rest, word) => rest.replaceAll(word, 'ASKED'), one);
  const head = [...headers].filter(
    ([name]) => !['date', 'x-request-id', 'content-length'].includes(name),
  );
  return [status, blank(text), head.join('; ')].join('\n');
}

/** Everything an admin of an organization can list. */
async function readAll({ admin, sandboxId, secretName }: StagedOrganization): Promise<string> {
  const paths = [
    '/secrets?include=unplaced',
    '/sandboxes',
    '/workspaces',
    '/api-keys',
    '/webhooks',
    '/api/v2/aihub/secrets',
    '/api/svc/v1/secret-groups',
    `/secrets/${secretName}/versions`,
    `/sandboxes/${sandboxId}/env`,
  ];
  const answers = await Promise.all(paths.map((path) => admin.get(path)));
  expect(answers.map(({ status }) => status)).toEqual(paths.map(() => 200));
  return answers
    .map(({ text }) => text.replaceAll(/"last_used_at":("[^"]*"|null)/g, ''))
    .join('\n');
}

/** Every way to ask an operation about something else than one's own; `null`: by its path alone. */
function variantsOf(operation: Operation): readonly (Variant | null)[] {
  const named = VARIANTS[operation.id] ?? [];
  return operation.path.includes('{') ? [...named, null] : named;
}

/** The answers that tell a thing that is out of reach from one that is not there. */
async function betrayals(
  caller: Caller,
  outOfReach: () => Target = foreign,
): Promise<readonly unknown[]> {
  const differing: unknown[] = [];
  for (const operation of operations) {
    for (const variant of variantsOf(operation)) {
      const [one, other] = [outOfReach(), absent()];
      const found = comparable(await ask(operation, one, caller, variant), one);
      const missing = comparable(await ask(operation, other, caller, variant), other);
      if (found !== missing) differing.push([operation.id, found, missing]);
    }
  }
  return differing;
}

test.each(ROLES)(
  'what is another organization’s is not there: asked with role %s',
  async (role) => {
    const caller = await stranger(role);
    const before = await readAll(theirs);
    expect(await betrayals(caller)).toEqual([]);
    expect(await readAll(theirs)).toBe(before);
  },
);

test.each(ROLES)('what a narrowed key does not reach is not there: role %s', async (role) => {
  const caller = await narrowed(role);
  const before = await readAll(theirs);
  expect(await betrayals(caller, beyond)).toEqual([]);
  expect(await readAll(theirs)).toBe(before);
});

test.each(ROLES)('lists show a narrowed key what it reaches: role %s', async (role) => {
  const { key, own } = await narrowed(role);
  const { sandboxId, secretId, groupedSecretId, apiKeyId } = theirs;
  const ids = [sandboxId, secretId, groupedSecretId, apiKeyId, theirWorkspaceId];
  const beyondReach = [...ids, ONLY_THEIRS, ...theirs.values];
  for (const { id, path } of operations.filter(({ method }) => method === 'GET')) {
    const headers = { 'x-api-key': key };
    const at = stagedPath(path, own);
    const { text } = await callOperation({ origin: root.origin, method: 'GET', path: at, headers });
    expect([id, beyondReach.filter((mark) => text.includes(mark))]).toEqual([id, []]);
  }
});

test('not there is 404, for an admin and for every operation about one thing', async () => {
  const caller = { key: ours.admin.key, own: ours };
  const answers: Record<string, number> = {};
  for (const operation of operations.filter(({ path }) => path.includes('{'))) {
    answers[operation.id] = (await ask(operation, foreign(), caller, null)).status;
  }
  const { deleteOrganization, ...others } = answers;
  expect(deleteOrganization).toBe(403);
  expect(Object.keys(others).length).toBeGreaterThan(30);
  expect(Object.entries(others).filter(([, status]) => status !== 404)).toEqual([]);
});

async function trailOf({ admin }: StagedOrganization): Promise<readonly unknown[]> {
  return (await admin.get('/audit')).json.data;
}

test('every VARIANTS row is of an operation that there is', () => {
  const ids = operations.map(({ id }) => id);
  expect(Object.keys(VARIANTS).filter((id) => !ids.includes(id))).toEqual([]);
});

test('a key is for its own organization: naming the other is 403, as naming nobody', async () => {
  for (const operation of operations.filter(({ isKeyed }) => isKeyed)) {
    const answers = await Promise.all(
      [theirs.id, theirs.name, randomUUID(), 'nobody'].map((organization) =>
        callOperation({
          origin: root.origin,
          method: operation.method,
          path: stagedPath(operation.path, theirs),
          headers: { 'x-api-key': ours.admin.key, 'x-organization': organization },
        }),
      ),
    );
    expect([operation.id, answers.map(({ status }) => status)]).toEqual([
      operation.id,
      [403, 403, 403, 403],
    ]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  }
});

describe('nothing of the other organization', () => {
  /** What would betray it. */
  async function marksOf(stage: StagedOrganization): Promise<readonly string[]> {
    const trail = (await trailOf(stage)) as readonly { request_id: string }[];
    const workspaces: readonly { id: string }[] = (await stage.admin.get('/workspaces')).json;
    const keys: readonly { id: string }[] = (await stage.admin.get('/api-keys')).json;
    const ids = Object.entries(stage)
      .filter(([name, value]) => /id$/i.test(name) && typeof value === 'string')
      .map(([, value]) => String(value));
    return [
      ...ids,
      ...stage.values,
      ...trail.map((row) => row.request_id),
      ...[...workspaces, ...keys].map(({ id }) => id),
      stage.proxyToken,
      stage.admin.key,
    ];
  }

  test('is in any answer about oneself', async () => {
    const marks = await marksOf(theirs);
    expect(marks.length).toBeGreaterThan(20);
    const reads = operations.filter(({ method }) => method === 'GET');
    const texts: string[] = [];
    for (const operation of reads) {
      const { path, id } = operation;
      const forms = id === 'listAudit' ? ['', '?format=ndjson', '?format=csv'] : [''];
      for (const form of forms) {
        const headers = { 'x-api-key': ours.admin.key };
        const at = stagedPath(path, ours) + form;
        const answer = await callOperation({
          origin: root.origin,
          method: 'GET',
          path: at,
          headers,
        });
        texts.push(answer.text);
        // With traffic behind it: rows of every kind are as the document has them.
        expect([id, surprisesOf(document, operation, answer)]).toEqual([id, []]);
        const found = marks.filter((mark) => answer.text.includes(mark));
        expect([id, form, found]).toEqual([id, form, []]);
      }
    }
    // The same search finds one's own, so it can find.
    const own = await marksOf(ours);
    const seen = own.filter((mark) => texts.some((text) => text.includes(mark)));
    expect(seen.length).toBeGreaterThan(12);
  });

  test('is in what is asked with POST', async () => {
    const marks = [...(await marksOf(theirs)), ONLY_THEIRS];
    const explained = await ours.admin.post('/explain', {
      sandbox: ours.sandboxId,
      method: 'GET',
      url: `https://${STAGED.host}/v1/models`,
    });
    expect(explained.json.considered).toMatchObject([{ secret_id: ours.secretId, outcome: 'won' }]);
    const listed = await ours.admin.post('/api/svc/v1/secrets', { limit: 1_000 });
    expect(listed.json.pagination.total).toBe(3);
    for (const { text } of [explained, listed]) {
      expect(marks.filter((mark) => text.includes(mark))).toEqual([]);
    }
  });

  test('is in the metrics, whoever reads them', async () => {
    const { text } = await root.get('/metrics');
    expect(text).toContain('sallyport_');
    const marks = [
      ...(await marksOf(theirs)),
      ...(await marksOf(ours)),
      ONLY_THEIRS,
      STAGED.sandbox,
    ];
    expect(marks.filter((mark) => text.includes(mark))).toEqual([]);
  });

  test('is in the events as they happen', async () => {
    const gone = new AbortController();
    const response = await fetch(`${root.origin}/events`, {
      headers: { 'x-api-key': ours.admin.key },
      signal: gone.signal,
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    await useSecret(theirs.proxyToken);
    await eventually(async () => expect(await trailOf(theirs)).toHaveLength(4));
    await useSecret(ours.proxyToken);
    while (text.split('event: audit').length < 3) text += (await reader?.read())?.value ?? '';
    gone.abort();
    expect(text).toContain(ours.sandboxId);
    expect((await marksOf(theirs)).filter((mark) => text.includes(mark))).toEqual([]);
  });
});
