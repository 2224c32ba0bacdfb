/** `/sandboxes`: create, list, change, pause, resume, delete. */
import { z } from '@hono/zod-openapi';
import { mintToken } from '../../src/kernel/ids.ts';
import { fieldError } from '../../src/kernel/field-error.ts';
import type { SandboxFilter, SandboxRow } from '../../src/sandboxes/sandbox-store.ts';
import {
  activatedSandboxSchema,
  createdSandboxSchema,
  describeSandbox,
  sandboxChangeOf,
  sandboxCreateSchema,
  sandboxInputOf,
  sandboxListQuery,
  sandboxPatchSchema,
  sandboxSchema,
  warningsOf,
} from '../contract/sandbox.ts';
import type { AdminDeps } from '../deps.ts';
import { respondJson, respondNothing } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';
import { describeEnv, describeFiles } from './sandbox-files.ts';

const tag = 'Sandboxes';

export function defineSandboxRoutes(deps: AdminDeps): Route[] {
  return [...defineCollectionRoutes(deps), ...defineItemRoutes(deps), ...defineStateRoutes(deps)];
}

function defineCollectionRoutes(deps: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'createSandbox',
      method: 'post',
      path: '/sandboxes',
      summary: 'Create a sandbox with its token, variables and files',
      tag,
      body: sandboxCreateSchema,
      answer: { status: 201, description: 'The sandbox.', schema: createdSandboxSchema },
      refuses: ['secret_not_found', 'conflict'],
      handle: async ({ actor, body }) => {
        const { row, token, warnings } = await deps.sandboxes.create(actor, sandboxInputOf(body));
        return respondJson(201, {
          ...activated(row),
          proxy_token: token,
          env: describeEnv(deps, row, token),
          files: describeFiles(deps),
          warnings: [...warningsOf(body), ...warnings],
        });
      },
    }),
    defineRoute({
      id: 'listSandboxes',
      method: 'get',
      path: '/sandboxes',
      summary: 'List sandboxes, newest first; also by metadata.KEY=',
      tag,
      query: sandboxListQuery,
      answer: { status: 200, description: 'Sandboxes.', schema: z.array(sandboxSchema) },
      handle: async ({ actor, query }) => {
        const rows = await deps.sandboxes.list(actor, filterOf(query));
        return respondJson(200, rows.map(describeSandbox));
      },
    }),
  ];
}

function defineItemRoutes({ sandboxes }: AdminDeps): Route[] {
  const path = '/sandboxes/{id}';
  return [
    defineRoute({
      id: 'readSandbox',
      method: 'get',
      path,
      summary: 'Read a sandbox',
      tag,
      answer: { status: 200, description: 'The sandbox.', schema: sandboxSchema },
      handle: async ({ actor, params }) => {
        return respondJson(200, describeSandbox(await sandboxes.read(actor, params['id'] ?? '')));
      },
    }),
    defineRoute({
      id: 'updateSandbox',
      method: 'patch',
      path,
      summary: 'Change a sandbox; metadata and network are replaced as a whole',
      tag,
      body: sandboxPatchSchema,
      answer: { status: 200, description: 'The sandbox.', schema: sandboxSchema },
      refuses: ['conflict'],
      handle: async ({ actor, params, body }) => {
        const row = await sandboxes.update(actor, params['id'] ?? '', sandboxChangeOf(body));
        return respondJson(200, describeSandbox(row));
      },
    }),
    defineRoute({
      id: 'deleteSandbox',
      method: 'delete',
      path,
      summary: 'Delete a sandbox and revoke what it holds',
      tag,
      answer: { status: 204, description: 'Gone.' },
      handle: async ({ actor, params }) => {
        await sandboxes.delete(actor, params['id'] ?? '');
        return respondNothing();
      },
    }),
  ];
}

function defineStateRoutes({ sandboxes }: AdminDeps): Route[] {
  const wake = (verb: 'activate' | 'resume'): Route =>
    defineRoute({
      id: `${verb}Sandbox`,
      method: 'post',
      path: `/sandboxes/{id}/${verb}`,
      summary: 'Make a sandbox active; idempotent',
      tag,
      answer: { status: 200, description: 'The sandbox.', schema: activatedSandboxSchema },
      refuses: ['conflict'],
      handle: async ({ actor, params }) => {
        return respondJson(200, activated(await sandboxes.resume(actor, params['id'] ?? '')));
      },
    });
  return [
    wake('activate'),
    wake('resume'),
    defineRoute({
      id: 'pauseSandbox',
      method: 'post',
      path: '/sandboxes/{id}/pause',
      summary: 'Pause a sandbox: the proxy refuses it until it is resumed',
      tag,
      answer: { status: 200, description: 'The sandbox.', schema: sandboxSchema },
      refuses: ['conflict'],
      handle: async ({ actor, params }) => {
        return respondJson(200, describeSandbox(await sandboxes.pause(actor, params['id'] ?? '')));
      },
    }),
  ];
}

/** With a fresh `access_token`, which that SDK wants and nothing here accepts. */
function activated(row: SandboxRow): z.infer<typeof activatedSandboxSchema> {
  return { ...describeSandbox(row), access_token: mintToken('sp_acc_') };
}

const METADATA = 'metadata.';

function filterOf(query: z.output<typeof sandboxListQuery>): SandboxFilter {
  const { status, limit, offset, ...rest } = query;
  const metadata: Record<string, string> = {};
  for (const [name, text] of Object.entries(rest)) {
    if (!name.startsWith(METADATA)) throw fieldError(name, 'is not a known parameter here');
    metadata[name.slice(METADATA.length)] = text;
  }
  return {
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(status === undefined ? {} : { status }),
    ...(limit === undefined ? {} : { limit }),
    ...(offset === undefined ? {} : { offset }),
  };
}
