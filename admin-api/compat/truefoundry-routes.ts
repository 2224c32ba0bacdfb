/** `/api/svc/v1/secret-groups`: TrueFoundry's groups of secrets on our store. */
import { z } from '@hono/zod-openapi';
import type { GroupView } from '../../src/groups/group-reader.ts';
import type { SecretGroup } from '../../src/groups/secret-group.ts';
import type { Actor } from '../../src/organizations/actor.ts';
import { DEFAULT_GROUP } from '../../src/secrets/secret-reference.ts';
import type { AdminDeps } from '../deps.ts';
import { respondJson } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';
import { TRUEFOUNDRY as face } from './truefoundry-face.ts';
import {
  deleteQuery,
  groupCreateSchema,
  groupInputOf,
  groupListQuery,
  groupManifestSchema,
  groupSecretsSchema,
  keyInputsOf,
  manifestOf,
} from './truefoundry-group.ts';
import { readViewContext } from './truefoundry-context.ts';
import { describeGroup, groupAnswerSchema, groupListSchema } from './truefoundry-view.ts';

const tag = 'TrueFoundry';
const path = '/api/svc/v1/secret-groups';
const onePath = `${path}/{id}`;
const PAGE_ROWS = 100;
const nothingSchema = z.object({}).openapi('TrueFoundryNothing');
const answer = { status: 200, description: 'The group.', schema: groupAnswerSchema };

export function defineTrueFoundryRoutes(deps: AdminDeps): Route[] {
  return [...defineCollectionRoutes(deps), ...defineOneRoutes(deps)];
}

function defineCollectionRoutes(deps: AdminDeps): Route[] {
  const { groups, groupReader } = deps;
  return [
    defineRoute({
      id: 'createSecretGroup',
      method: 'post',
      path,
      face,
      summary: 'Create a group with its secrets',
      tag,
      body: groupCreateSchema,
      answer,
      refuses: ['conflict', 'value_not_placeable'],
      handle: async ({ actor, body }) => {
        const group = await groups.create(actor, groupInputOf(body));
        return respondGroup(deps, actor, await groupReader.view(actor, group));
      },
    }),
    defineRoute({
      id: 'listSecretGroups',
      method: 'get',
      path,
      face,
      summary: 'List groups, newest first',
      tag,
      query: groupListQuery,
      answer: { status: 200, description: 'Groups.', schema: groupListSchema },
      handle: async ({ actor, query }) => {
        const context = await readViewContext(deps, actor);
        const { limit = PAGE_ROWS, offset = 0, fqn, search } = query;
        const name = fqn === undefined ? undefined : groupNameOf(fqn, context.organization.name);
        const page = await groupReader.list(actor, {
          limit,
          offset,
          ...(name === undefined ? {} : { name }),
          ...(search === undefined ? {} : { search }),
        });
        const data = page.rows.map((view) => describeGroup(view, context));
        return respondJson(200, { data, pagination: { total: page.total, offset, limit } });
      },
    }),
    defineRoute({
      id: 'putSecretGroup',
      method: 'put',
      path,
      face,
      summary: 'Create or change a group by its manifest',
      tag,
      body: groupManifestSchema,
      answer,
      refuses: ['not_found', 'conflict'],
      handle: async ({ actor, body }) => {
        const isDryRun = body.dryRun ?? false;
        const group = await groups.putManifest(actor, manifestOf(body.manifest), isDryRun);
        return respondGroup(deps, actor, await groupReader.view(actor, group));
      },
    }),
  ];
}

function defineOneRoutes(deps: AdminDeps): Route[] {
  const { groups, groupReader } = deps;
  const view = async (actor: Actor, group: SecretGroup): Promise<Response> =>
    respondGroup(deps, actor, await groupReader.view(actor, group));
  return [
    defineRoute({
      id: 'readSecretGroup',
      method: 'get',
      path: onePath,
      face,
      summary: 'Read a group; never its values',
      tag,
      answer,
      handle: async ({ actor, params }) => {
        const id = params['id'] ?? '';
        if (id !== DEFAULT_GROUP) return view(actor, await groups.read(actor, id));
        return respondGroup(deps, actor, await groupReader.viewDefault(actor));
      },
    }),
    defineRoute({
      id: 'writeSecretGroup',
      method: 'put',
      path: onePath,
      face,
      summary: 'Write the full set of secrets of a group',
      tag,
      body: groupSecretsSchema,
      answer,
      refuses: ['conflict', 'value_required', 'value_not_placeable'],
      handle: async ({ actor, params, body }) =>
        view(
          actor,
          await groups.writeSecrets(actor, params['id'] ?? '', keyInputsOf(body.secrets)),
        ),
    }),
    defineRoute({
      id: 'deleteSecretGroup',
      method: 'delete',
      path: onePath,
      face,
      summary: 'Delete a group with its secrets',
      tag,
      query: deleteQuery,
      answer: { status: 200, description: 'Gone.', schema: nothingSchema },
      refuses: ['conflict'],
      handle: async ({ actor, params }) => {
        await groups.delete(actor, params['id'] ?? '');
        return respondJson(200, {});
      },
    }),
  ];
}

async function respondGroup(deps: AdminDeps, actor: Actor, view: GroupView): Promise<Response> {
  return respondJson(200, { data: describeGroup(view, await readViewContext(deps, actor)) });
}

/** Another tenant's group has a name that none of ours can have. */
function groupNameOf(fqn: string, tenant: string): string {
  const [first, name, ...rest] = fqn.split(':');
  return first === tenant && name !== undefined && rest.length === 0 ? name : '';
}
