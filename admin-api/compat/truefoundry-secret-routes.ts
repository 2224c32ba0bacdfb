/** `/api/svc/v1/secrets`: single secrets as TrueFoundry's clients list, read and delete them. */
import { z } from '@hono/zod-openapi';
import type { Member, MemberFilter } from '../../src/groups/group-store.ts';
import type { Hidden } from '../../src/kernel/hidden.ts';
import type { Actor } from '../../src/organizations/actor.ts';
import { DEFAULT_GROUP } from '../../src/secrets/secret-reference.ts';
import { optional } from '../contract/fields.ts';
import type { AdminDeps } from '../deps.ts';
import { respondJson } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';
import { TRUEFOUNDRY as face } from './truefoundry-face.ts';
import { deleteQuery } from './truefoundry-group.ts';
import { readViewContext } from './truefoundry-context.ts';
import { describeMember, secretAnswerSchema, secretListSchema } from './truefoundry-view.ts';

const tag = 'TrueFoundry';
const path = '/api/svc/v1/secrets';
const onePath = `${path}/{id}`;
const PAGE_ROWS = 100;

const countSchema = z.int().openapi('TrueFoundryDeletedCount');

const listSchema = z
  .strictObject({
    limit: optional(z.int().min(1).max(1_000)),
    offset: optional(z.int().min(0)),
    secretFqns: optional(z.array(z.string()).max(1_000)),
    secretGroupId: optional(z.string()),
    withValue: optional(z.boolean()),
  })
  .openapi('TrueFoundrySecretQuery', {
    example: { limit: 10, offset: 0, secretFqns: ['default:my-group:my-key'] },
  });

export function defineTrueFoundrySecretRoutes(deps: AdminDeps): Route[] {
  const { groups, groupReader } = deps;
  return [
    defineRoute({
      id: 'listGroupedSecrets',
      method: 'post',
      path,
      face,
      summary: 'List secrets, in order of creation',
      tag,
      body: listSchema,
      isBodyRequired: false,
      answer: { status: 200, description: 'Secrets.', schema: secretListSchema },
      handle: async ({ actor, body }) => {
        const { limit = PAGE_ROWS, offset = 0 } = body;
        const filter = await filterOf(deps, actor, body);
        const page = await groupReader.listMembers(actor, { ...filter, limit, offset });
        const context = await readViewContext(deps, actor);
        const data: unknown[] = [];
        for (const member of page.rows) {
          const value = body.withValue ? await readValue(deps, actor, member) : undefined;
          data.push(describeMember(member, context, value));
        }
        return respondJson(200, { data, pagination: { total: page.total, offset, limit } });
      },
    }),
    defineRoute({
      id: 'readGroupedSecret',
      method: 'get',
      path: onePath,
      face,
      summary: 'Read a secret; its value only with secrets.allow_reveal',
      tag,
      answer: { status: 200, description: 'The secret.', schema: secretAnswerSchema },
      handle: async ({ actor, params }) => {
        const member = await groupReader.readMember(actor, params['id'] ?? '');
        const value = await readValue(deps, actor, member);
        const context = await readViewContext(deps, actor);
        return respondJson(200, { data: describeMember(member, context, value) });
      },
    }),
    defineRoute({
      id: 'deleteGroupedSecret',
      method: 'delete',
      path: onePath,
      face,
      summary: 'Delete a secret with all its versions',
      tag,
      query: deleteQuery,
      answer: { status: 200, description: 'How many were deleted.', schema: countSchema },
      refuses: ['conflict'],
      handle: async ({ actor, params }) => {
        const member = await groupReader.readMember(actor, params['id'] ?? '');
        return respondJson(200, await groups.deleteMember(actor, member));
      },
    }),
  ];
}

function readValue(deps: AdminDeps, actor: Actor, member: Member): Promise<Hidden | undefined> {
  return deps.groupReader.readValue(actor, member);
}

async function filterOf(
  { groupReader }: AdminDeps,
  actor: Actor,
  { secretFqns, secretGroupId }: z.output<typeof listSchema>,
): Promise<MemberFilter> {
  const group =
    secretGroupId === DEFAULT_GROUP
      ? { isUngrouped: true }
      : secretGroupId !== undefined && { groupIds: [secretGroupId] };
  const names = secretFqns && { names: await groupReader.resolveNames(actor, secretFqns) };
  return { ...group, ...names };
}
