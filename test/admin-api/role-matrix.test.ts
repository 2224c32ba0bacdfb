/**
 * Every operation of the OpenAPI document, asked with every role: who is below the role it needs is refused
 * before anything is looked up or changed, who has it is not. An operation without a row fails here.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AdminClient } from '../support/admin.ts';
import { readDocument, type Operation } from '../support/api-document.ts';
import { resolveSchema, type Components } from '../support/json-schema.ts';
import { callOperation } from '../support/operation-call.ts';
import { startProduct, type Product } from '../support/product.ts';
import {
  STAGED_HOSTS,
  stagedPath,
  stageOrganization,
  type StagedOrganization,
} from '../support/staged-organization.ts';

const ROOT_KEY = `sp_live_${randomBytes(32).toString('base64url')}`;
const ROLES = ['viewer', 'operator', 'admin', 'root'] as const;
type Role = (typeof ROLES)[number];

/**
 * The least role. `open`: no key. `member`: admins, and whom the manifest of the group names; to others it is
 * not there. `instance`: root, and admins of the organization that came with the instance.
 */
const NEEDS: Readonly<Record<string, Role | 'open' | 'member' | 'instance'>> = {
  listSecrets: 'viewer',
  readSecret: 'viewer',
  listSecretAudit: 'viewer',
  listSecretSandboxes: 'viewer',
  listSecretVersions: 'viewer',
  readSecretRollout: 'viewer',
  testSecret: 'operator',
  createSecret: 'admin',
  updateSecret: 'admin',
  deleteSecret: 'admin',
  revealSecret: 'admin',
  rollbackSecret: 'admin',
  listProviders: 'viewer',
  listSandboxes: 'viewer',
  readSandbox: 'viewer',
  readSandboxEnv: 'viewer',
  listSandboxNetwork: 'viewer',
  createSandbox: 'operator',
  updateSandbox: 'operator',
  deleteSandbox: 'operator',
  activateSandbox: 'operator',
  resumeSandbox: 'operator',
  pauseSandbox: 'operator',
  attachSecret: 'operator',
  detachSecret: 'operator',
  replaceProxyToken: 'operator',
  disconnectSandbox: 'operator',
  listActivity: 'viewer',
  listAudit: 'viewer',
  watchEvents: 'viewer',
  verifyAudit: 'admin',
  explain: 'viewer',
  listWorkspaces: 'viewer',
  createWorkspace: 'admin',
  deleteWorkspace: 'admin',
  listApiKeys: 'admin',
  createApiKey: 'admin',
  deleteApiKey: 'admin',
  listWebhooks: 'admin',
  readWebhook: 'admin',
  createWebhook: 'admin',
  updateWebhook: 'admin',
  deleteWebhook: 'admin',
  testWebhook: 'admin',
  listWebhookDeliveries: 'admin',
  listInstabaseSecrets: 'admin',
  createInstabaseSecret: 'admin',
  updateInstabaseSecret: 'admin',
  deleteInstabaseSecret: 'admin',
  createSecretGroup: 'admin',
  putSecretGroup: 'admin',
  listSecretGroups: 'viewer',
  listGroupedSecrets: 'viewer',
  readSecretGroup: 'member',
  writeSecretGroup: 'member',
  deleteSecretGroup: 'member',
  readGroupedSecret: 'member',
  deleteGroupedSecret: 'member',
  readCa: 'viewer',
  rotateCa: 'instance',
  switchCa: 'instance',
  finishCa: 'instance',
  cancelCa: 'instance',
  listMasterKeys: 'instance',
  rewrapVault: 'instance',
  readMetrics: 'instance',
  listOrganizations: 'root',
  createOrganization: 'root',
  deleteOrganization: 'root',
  readHealth: 'open',
  readReadiness: 'open',
  readCaCertificate: 'open',
  readOpenApi: 'open',
  readDocs: 'open',
};

let product: Product;
let root: AdminClient;
let operations: readonly Operation[];
let components: Components;

beforeAll(async () => {
  product = await startProduct({
    settings: { secrets: { allow_reveal: true }, audit: { chain: 'on' } },
    env: { SALLYPORT_ROOT_KEY: ROOT_KEY },
    hosts: STAGED_HOSTS,
  });
  root = product.admin.withKey(ROOT_KEY);
  ({ operations, components } = readDocument((await root.get('/openapi.json')).json));
});

afterAll(() => product[Symbol.asyncDispose]());

async function statusOf(
  operation: Operation,
  stage: StagedOrganization,
  key: string | null,
): Promise<number> {
  const schema = operation.body && resolveSchema(operation.body.schema, components);
  const example = schema?.['example'];
  const { status } = await callOperation({
    origin: root.origin,
    method: operation.method,
    path: stagedPath(operation.path, stage),
    headers: key === null ? {} : { 'x-api-key': key, 'x-organization': stage.id },
    body: operation.id === 'explain' ? { ...example, sandbox: stage.sandboxId } : example,
  });
  return status;
}

async function keyOf(stage: StagedOrganization, role: Role): Promise<string> {
  if (role === 'root') return ROOT_KEY;
  return (await stage.admin.must('POST', '/api-keys', { name: role, role })).key;
}

/** With which roles it is refused, and how. */
function refusalOf(id: string, role: Role): 403 | 404 | null {
  const needed = NEEDS[id];
  if (needed === undefined) throw new Error(`${id} has no row`);
  if (needed === 'open') return null;
  if (needed === 'member') return role === 'admin' || role === 'root' ? null : 404;
  const least = needed === 'instance' ? 'root' : needed;
  return ROLES.indexOf(role) < ROLES.indexOf(least) ? 403 : null;
}

function below(role: Role): Role {
  return ROLES[ROLES.indexOf(role) - 1] ?? role;
}

test('every row is of an operation, every operation has a row', () => {
  const ids = operations.map(({ id }) => id);
  expect(Object.keys(NEEDS).toSorted()).toEqual(ids.toSorted());
});

test('without a key, and with an unknown one, all but what is open is 401', async () => {
  const stage = await stageOrganization(root, 'keyless');
  for (const operation of operations) {
    const isOpen = NEEDS[operation.id] === 'open';
    expect([operation.id, operation.isKeyed]).toEqual([operation.id, !isOpen]);
    const status = await statusOf(operation, stage, null);
    expect([operation.id, status]).toEqual([operation.id, isOpen ? 200 : 401]);
  }
  const read = operations.find(({ id }) => id === 'listSecrets');
  if (read === undefined) throw new Error('there is no listSecrets');
  expect(await statusOf(read, stage, 'sp_live_unknown')).toBe(401);
});

describe.each(ROLES)('role %s', (role) => {
  test('is refused what needs more, and it changes nothing', async () => {
    const stage = await stageOrganization(root, `refused-${role}`);
    const key = await keyOf(stage, role);
    const before = (await stage.admin.get('/activity')).text;
    for (const operation of operations) {
      const refusal = refusalOf(operation.id, role);
      if (refusal === null) continue;
      const status = await statusOf(operation, stage, key);
      expect([operation.id, status]).toEqual([operation.id, refusal]);
    }
    expect((await stage.admin.get('/activity')).text).toBe(before);
  });

  test('is not refused what it may', async () => {
    const reads = await stageOrganization(root, `reads-${role}`);
    const key = await keyOf(reads, role);
    for (const operation of operations) {
      if (refusalOf(operation.id, role) !== null || NEEDS[operation.id] === 'open') continue;
      const isRead = operation.method === 'GET' || operation.id === 'explain';
      // A change is tried with the least role that may do it: each wants a stage of its own.
      if (!isRead && role !== 'viewer' && refusalOf(operation.id, below(role)) === null) continue;
      const stage = isRead ? reads : await stageOrganization(root, `${role}-${operation.id}`);
      const status = await statusOf(operation, stage, isRead ? key : await keyOf(stage, role));
      // 409: what it would make is there already. It was let in.
      const isLetIn = status < 300 || status === 409;
      expect([operation.id, status, isLetIn]).toEqual([operation.id, status, true]);
    }
  });
});
