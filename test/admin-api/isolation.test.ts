/**
 * Two organizations with the same names for everything, one of everything each, and traffic in both. Every
 * operation of the OpenAPI document is called about what belongs to the other: the answer is the one for what
 * is not there, to the byte, and the other is as it was. What lists, trails and streams show is one's own.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AdminClient } from '../support/admin.ts';
import { readDocument, type Operation } from '../support/api-document.ts';
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
let operations: readonly Operation[];
let components: Components;

beforeAll(async () => {
  scene = await startScene({
    names: [STAGED.host],
    env: { SALLYPORT_ROOT_KEY: ROOT_KEY },
    settings: { audit: { chain: 'on' } },
  });
  root = scene.product.admin.withKey(ROOT_KEY);
  ({ operations, components } = readDocument((await root.get('/openapi.json')).json));
  ours = await stageOrganization(root, 'ours');
  theirs = await stageOrganization(root, 'theirs');
  await theirs.admin.must('POST', '/secrets', {
    name: ONLY_THEIRS,
    value: theirs.values[0],
    provider: 'openai',
  });
  await theirs.admin.must('POST', '/workspaces', { name: ONLY_THEIRS });
  for (const { proxyToken } of [ours, theirs]) await useSecret(proxyToken);
});

afterAll(() => scene[Symbol.asyncDispose]());

/** One exchange that uses the staged secret, one that is refused. */
async function useSecret(token: string): Promise<void> {
  const { product } = scene;
  using tunnel = await product.openTunnel({ token }, `${STAGED.host}:443`);
  expect((await tunnel.request({ path: '/v1/models' })).status).toBe(200);
  await expect(product.openTunnel({ token }, '10.0.0.1:443')).rejects.toThrow();
}

/** What an operation can be about, in an organization or in none. */
interface Target extends StagedOrganization {
  readonly workspaceName: string;
}

function foreign(): Target {
  return { ...theirs, secretName: ONLY_THEIRS, workspaceName: ONLY_THEIRS };
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

interface Asked {
  readonly target: Target;
  readonly key: string;
  readonly variant: Variant | null;
}

async function ask(
  operation: Operation,
  { target, key, variant }: Asked,
): Promise<OperationAnswer> {
  const more = variant?.(target) ?? {};
  const path = stagedPath(operation.path, more.isOwnPath === undefined ? target : ours);
  const schema = operation.body && resolveSchema(operation.body.schema, components);
  return callOperation({
    origin: root.origin,
    method: operation.method,
    path: more.query === undefined ? path : `${path}?${more.query}`,
    headers: { 'x-api-key': key, ...more.headers },
    body: more.body ?? schema?.['example'],
  });
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
    ...['/secrets?include=unplaced', '/sandboxes', '/workspaces', '/api-keys', '/webhooks'],
    ...[`/secrets/${secretName}/versions`, `/sandboxes/${sandboxId}/env`],
    ...['/api/v2/aihub/secrets', '/api/svc/v1/secret-groups'],
  ];
  const answers = await Promise.all(paths.map((path) => admin.get(path)));
  expect(answers.map(({ status }) => status)).toEqual(paths.map(() => 200));
  return answers.map(({ text }) => text.replaceAll(/"last_used_at":"[^"]*"/g, '')).join('\n');
}

test('what belongs to another organization is not there, whatever asks for it', async () => {
  await eventually(async () => expect(await trailOf(theirs)).toHaveLength(2));
  const before = await readAll(theirs);
  const { key } = ours.admin;
  const differing: unknown[] = [];
  let asked = 0;
  for (const operation of operations) {
    const variants: (Variant | null)[] = [...(VARIANTS[operation.id] ?? [])];
    if (operation.path.includes('{')) variants.push(null);
    for (const variant of variants) {
      const [one, other] = [foreign(), absent()];
      const found = await ask(operation, { target: one, key, variant });
      const missing = await ask(operation, { target: other, key, variant });
      asked += 1;
      const pair = [comparable(found, one), comparable(missing, other)];
      if (pair[0] !== pair[1]) differing.push([operation.id, pair]);
      if (variant === null)
        expect([operation.id, found.status]).toEqual([operation.id, expectedOf(operation)]);
    }
  }
  expect(differing).toEqual([]);
  expect(asked).toBeGreaterThan(70);
  expect(await readAll(theirs)).toBe(before);
});

/** `/organizations` is for root keys whatever is named. */
function expectedOf({ path }: Operation): number {
  return path.startsWith('/organizations') ? 403 : 404;
}

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
    for (const { path, id } of reads) {
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
