/** `/secrets`: register, read, change, rotate and delete secrets; their audit and sandboxes. */
import { z } from '@hono/zod-openapi';
import type { SecretAuditFilter } from '../../src/audit/audit-store.ts';
import type { SecretFilter, SecretRow } from '../../src/secrets/secret-store.ts';
import { auditQuery, auditRowSchema, describeAuditRow } from '../contract/audit.ts';
import { formatCursor, parseCursor } from '../contract/cursor.ts';
import {
  createdSecretSchema,
  describeSecret,
  describeSecretSandbox,
  revealedSchema,
  secretCreateSchema,
  secretInputOf,
  secretListQuery,
  secretPatchSchema,
  secretSandboxSchema,
  secretSchema,
} from '../contract/secret.ts';
import type { AdminDeps } from '../deps.ts';
import { respondJson, respondJsonPages, respondNothing } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';

const tag = 'Secrets';
const PAGE_ROWS = 100;

export function defineSecretRoutes({ secrets, allMode, clock }: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'createSecret',
      method: 'post',
      path: '/secrets',
      summary: 'Register a secret',
      tag,
      body: secretCreateSchema,
      answer: { status: 201, description: 'The secret.', schema: createdSecretSchema },
      refuses: ['conflict', 'value_not_placeable'],
      handle: async ({ actor, body }) => {
        const row = await secrets.create(actor, body.name, secretInputOf(body));
        const warnings = await allMode.warningsAbout(row.secret);
        return respondJson(201, { ...describeSecret(row, clock.nowMs()), warnings });
      },
    }),
    defineRoute({
      id: 'listSecrets',
      method: 'get',
      path: '/secrets',
      summary: 'List secrets, newest first',
      tag,
      query: secretListQuery,
      answer: {
        status: 200,
        description: 'Secrets.',
        schema: z.array(secretSchema),
        headers: { Link: 'With `limit`, `rel="next"`: the following page.' },
      },
      handle: async ({ actor, query, url }) => {
        const describe = (row: SecretRow): unknown => describeSecret(row, clock.nowMs());
        const filter = filterOf(query);
        if (query.limit === undefined) {
          return respondJsonPages(secrets.listAll(actor, filter), describe);
        }
        const { rows, next } = await secrets.list(actor, filter);
        const data = rows.map(describe);
        if (next === null) return respondJson(200, data);
        url.searchParams.set('cursor', formatCursor([next.createdAtMs, next.id]));
        return respondJson(200, data, { link: `<${url.pathname}${url.search}>; rel="next"` });
      },
    }),
    defineRoute({
      id: 'readSecret',
      method: 'get',
      path: '/secrets/{name}',
      summary: 'Read a secret; never its value',
      tag,
      answer: { status: 200, description: 'The secret.', schema: secretSchema },
      handle: async ({ actor, params }) => {
        const row = await secrets.read(actor, params['name'] ?? '');
        return respondJson(200, describeSecret(row, clock.nowMs()));
      },
    }),
    defineRoute({
      id: 'updateSecret',
      method: 'patch',
      path: '/secrets/{name}',
      summary: 'Change a secret, or rotate it by giving a value',
      tag,
      body: secretPatchSchema,
      answer: { status: 200, description: 'The secret.', schema: secretSchema },
      refuses: ['conflict', 'value_required', 'value_not_placeable'],
      handle: async ({ actor, params, body }) => {
        const row = await secrets.update(actor, params['name'] ?? '', secretInputOf(body));
        return respondJson(200, describeSecret(row, clock.nowMs()));
      },
    }),
    defineRoute({
      id: 'deleteSecret',
      method: 'delete',
      path: '/secrets/{name}',
      summary: 'Delete a secret; its name is free at once',
      tag,
      answer: { status: 204, description: 'Gone.' },
      handle: async ({ actor, params }) => {
        await secrets.delete(actor, params['name'] ?? '');
        return respondNothing();
      },
    }),
    defineRoute({
      id: 'revealSecret',
      method: 'post',
      path: '/secrets/{name}/reveal',
      summary: 'Show a value; only with secrets.allow_reveal, to admins; it is in /activity first',
      tag,
      answer: { status: 200, description: 'The value.', schema: revealedSchema },
      handle: async ({ actor, params }) => {
        const { value, version } = await secrets.reveal(actor, params['name'] ?? '');
        return respondJson(200, { value: value.reveal(), version });
      },
    }),
    ...defineHistoryRoutes({ secrets }),
  ];
}

function defineHistoryRoutes({ secrets }: Pick<AdminDeps, 'secrets'>): Route[] {
  return [
    defineRoute({
      id: 'listSecretAudit',
      method: 'get',
      path: '/secrets/{name}/audit',
      summary: 'Requests that used a secret or were refused over it, newest first',
      tag,
      query: auditQuery,
      answer: { status: 200, description: 'Rows.', schema: z.array(auditRowSchema) },
      handle: async ({ actor, params, query }) => {
        const filter: SecretAuditFilter = {
          limit: query.limit ?? PAGE_ROWS,
          ...(query.before === undefined ? {} : { beforeId: query.before }),
          ...(query.status === undefined ? {} : { status: query.status }),
        };
        const rows = await secrets.listAudit(actor, params['name'] ?? '', filter);
        return respondJson(200, rows.map(describeAuditRow));
      },
    }),
    defineRoute({
      id: 'listSecretSandboxes',
      method: 'get',
      path: '/secrets/{name}/sandboxes',
      summary: 'Sandboxes that bind a secret',
      tag,
      answer: { status: 200, description: 'Bindings.', schema: z.array(secretSandboxSchema) },
      handle: async ({ actor, params }) => {
        const rows = await secrets.listSandboxes(actor, params['name'] ?? '');
        return respondJson(200, rows.map(describeSecretSandbox));
      },
    }),
  ];
}

function filterOf(query: z.output<typeof secretListQuery>): SecretFilter {
  const place =
    query.cursor === undefined ? null : parseCursor(query.cursor, ['number', 'string'], 'cursor');
  return {
    ...(query.q === undefined ? {} : { q: query.q }),
    ...(query.provider === undefined ? {} : { provider: query.provider }),
    ...(query.host === undefined ? {} : { host: query.host }),
    ...(query.unused_since === undefined ? {} : { unusedSinceMs: query.unused_since }),
    ...(query.include === undefined ? {} : { includeUnplaced: true }),
    ...(query.limit === undefined ? {} : { limit: query.limit }),
    ...(place === null ? {} : { after: { createdAtMs: place[0], id: place[1] } }),
  };
}
