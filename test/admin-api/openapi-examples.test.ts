/**
 * Every example of the OpenAPI document is sent as it stands, to the whole product, and succeeds with what the
 * document promises; so does every call without a body. A new route without a stage fails here.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AdminClient } from '../support/admin.ts';
import {
  readDocument,
  surprisesOf,
  type ApiDocument,
  type Operation,
} from '../support/api-document.ts';
import { eventually } from '../support/eventually.ts';
import { callOperation } from '../support/operation-call.ts';
import { resolveSchema } from '../support/json-schema.ts';
import { startProduct, type Product } from '../support/product.ts';
import {
  STAGED,
  STAGED_HOSTS,
  stagedPath,
  stageOrganization,
  type StagedOrganization,
} from '../support/staged-organization.ts';

const ROOT_KEY = `sp_live_${randomBytes(32).toString('base64url')}`;

let product: Product;
let root: AdminClient;
let document: ApiDocument;

beforeAll(async () => {
  product = await startProduct({
    settings: { secrets: { allow_reveal: true }, audit: { chain: 'on' } },
    env: { SALLYPORT_ROOT_KEY: ROOT_KEY },
    hosts: STAGED_HOSTS,
  });
  root = product.admin.withKey(ROOT_KEY);
  document = readDocument((await root.get('/openapi.json')).json);
});

afterAll(() => product[Symbol.asyncDispose]());

type Prepare = (stage: StagedOrganization) => Promise<unknown>;

const withoutAlias: Prepare = ({ admin }) => admin.must('DELETE', `/secrets/${STAGED.alias}`);
const inRotation: Prepare = () => root.must('POST', '/ca/rotate');

/** What must be done, or undone, before an example can succeed. */
const BEFORE: Readonly<Record<string, Prepare>> = {
  createSecret: ({ admin }) => admin.must('DELETE', `/secrets/${STAGED.secret}`),
  createInstabaseSecret: withoutAlias,
  createSecretGroup: ({ admin, groupId }) =>
    admin.must('DELETE', `/api/svc/v1/secret-groups/${groupId}`),
  switchCa: inRotation,
  cancelCa: inRotation,
  finishCa: async (stage) => {
    await inRotation(stage);
    await root.must('POST', '/ca/switch');
  },
  // The chains have rows once something was refused.
  verifyAudit: async ({ proxyToken }) => {
    const refused = product.openTunnel({ token: proxyToken }, '10.0.0.1:443');
    await expect(refused).rejects.toThrow('403');
    await eventually(async () => {
      expect((await root.call('GET', '/audit', undefined, 'read')).json.data).toHaveLength(1);
    });
  },
};

const AFTER: Readonly<Record<string, () => Promise<unknown>>> = {
  rotateCa: () => root.must('POST', '/ca/cancel'),
  switchCa: () => root.must('POST', '/ca/finish'),
};

/** The body as the document shows it, but for ids, which only the instance can know. */
function exampleOf(operation: Operation, stage: StagedOrganization): unknown {
  if (operation.body === null) return undefined;
  const { example } = resolveSchema(operation.body.schema, document.components);
  return operation.id === 'explain' ? { ...example, sandbox: stage.sandboxId } : example;
}

test('every operation, with its example, answers what the document promises', async () => {
  const failed: string[] = [];
  const onlyRead = await stageOrganization(root, 'read');
  for (const operation of document.operations) {
    const isRead = operation.method === 'GET';
    const stage = isRead ? onlyRead : await stageOrganization(root, operation.id);
    await BEFORE[operation.id]?.(stage);
    const answer = await callOperation({
      origin: root.origin,
      method: operation.method,
      path: stagedPath(operation.path, stage),
      headers: { 'x-api-key': ROOT_KEY, 'x-organization': stage.id },
      body: exampleOf(operation, stage),
    });
    const surprises = surprisesOf(document, operation, answer);
    if (answer.status >= 300) surprises.push(`${answer.status} ${answer.text}`);
    failed.push(...surprises.map((one) => `${operation.id}: ${one}`));
    await AFTER[operation.id]?.();
  }
  expect(failed).toEqual([]);
}, 120_000);
