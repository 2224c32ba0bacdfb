/** `/organizations` (root keys) and `/workspaces` (of the caller's organization). */
import { z } from '@hono/zod-openapi';
import { describeTenant, namedSchema, tenantSchema } from '../contract/organization.ts';
import type { AdminDeps } from '../deps.ts';
import { respondJson, respondNothing } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';

const tag = 'Organizations';
const created = { status: 201, description: 'What was created.', schema: tenantSchema };
const listed = { status: 200, description: 'All of them.', schema: z.array(tenantSchema) };
const gone = { status: 204, description: 'Gone.' };

export function defineOrganizationRoutes({ tenants }: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'createOrganization',
      method: 'post',
      path: '/organizations',
      summary: 'Create an organization, with a workspace `default`',
      tag,
      body: namedSchema,
      answer: created,
      refuses: ['conflict'],
      handle: async ({ actor, body }) =>
        respondJson(201, describeTenant(await tenants.create(actor, body.name))),
    }),
    defineRoute({
      id: 'listOrganizations',
      method: 'get',
      path: '/organizations',
      summary: 'List organizations',
      tag,
      answer: listed,
      handle: async ({ actor }) =>
        respondJson(200, (await tenants.list(actor)).map(describeTenant)),
    }),
    defineRoute({
      id: 'deleteOrganization',
      method: 'delete',
      path: '/organizations/{id}',
      summary: 'Delete an organization, by id or name, with everything in it',
      tag,
      answer: gone,
      refuses: ['conflict'],
      handle: async ({ actor, params }) => {
        await tenants.delete(actor, params['id'] ?? '');
        return respondNothing();
      },
    }),
    defineRoute({
      id: 'createWorkspace',
      method: 'post',
      path: '/workspaces',
      summary: 'Create a workspace',
      tag,
      body: namedSchema,
      answer: created,
      refuses: ['conflict'],
      handle: async ({ actor, body }) =>
        respondJson(201, describeTenant(await tenants.createWorkspace(actor, body.name))),
    }),
    defineRoute({
      id: 'listWorkspaces',
      method: 'get',
      path: '/workspaces',
      summary: 'List workspaces',
      tag,
      answer: listed,
      handle: async ({ actor }) =>
        respondJson(200, (await tenants.listWorkspaces(actor)).map(describeTenant)),
    }),
    defineRoute({
      id: 'deleteWorkspace',
      method: 'delete',
      path: '/workspaces/{id}',
      summary: 'Delete an empty workspace, by id or name',
      tag,
      answer: gone,
      refuses: ['conflict'],
      handle: async ({ actor, params }) => {
        await tenants.deleteWorkspace(actor, params['id'] ?? '');
        return respondNothing();
      },
    }),
  ];
}
