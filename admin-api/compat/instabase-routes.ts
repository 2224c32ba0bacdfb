/**
 * `/api/v2/aihub/secrets`: Instabase AI Hub's secrets on our store. There is no URL of one secret: `alias`
 * in the body is the identity, also on DELETE.
 */
import { ControlError } from '../../src/kernel/errors.ts';
import { fieldError } from '../../src/kernel/field-error.ts';
import type { Actor } from '../../src/organizations/actor.ts';
import { checkRole } from '../../src/organizations/roles.ts';
import type { SecretRow } from '../../src/secrets/secret-store.ts';
import type { Secret } from '../../src/secrets/secret.ts';
import type { AdminDeps } from '../deps.ts';
import { respondJson, respondJsonPages } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';
import { INSTABASE as face } from './instabase-face.ts';
import {
  aliasCreateSchema,
  aliasDeleteSchema,
  aliasInputOf,
  aliasListQuery,
  aliasListSchema,
  aliasPatchSchema,
  describeAlias,
  nothingSchema,
} from './instabase-secret.ts';

const tag = 'Instabase AI Hub';
const path = '/api/v2/aihub/secrets';
const answer = { status: 200, description: 'Done.', schema: nothingSchema };

export function defineInstabaseRoutes(deps: AdminDeps): Route[] {
  const { secrets } = deps;
  return [
    defineRoute({
      id: 'createInstabaseSecret',
      method: 'post',
      path,
      face,
      summary: 'Create a secret',
      tag,
      body: aliasCreateSchema,
      answer,
      refuses: ['conflict', 'value_not_placeable'],
      handle: async ({ actor, body }) => {
        await secrets.createStored(actor, body.alias, aliasInputOf(body));
        return respondJson(200, {});
      },
    }),
    defineListRoute(deps),
    defineRoute({
      id: 'updateInstabaseSecret',
      method: 'patch',
      path,
      face,
      summary: 'Change a secret; what is omitted stays',
      tag,
      body: aliasPatchSchema,
      answer,
      refuses: ['not_found', 'conflict', 'value_required', 'value_not_placeable'],
      handle: async ({ actor, body }) => {
        checkRole(actor, 'administer');
        await readAlias(deps, actor, body.alias);
        await secrets.update(actor, body.alias, aliasInputOf(body));
        return respondJson(200, {});
      },
    }),
    defineRoute({
      id: 'deleteInstabaseSecret',
      method: 'delete',
      path,
      face,
      summary: 'Delete a secret',
      tag,
      body: aliasDeleteSchema,
      answer,
      refuses: ['not_found'],
      handle: async ({ actor, body }) => {
        checkRole(actor, 'administer');
        await readAlias(deps, actor, body.alias);
        await secrets.delete(actor, body.alias);
        return respondJson(200, {});
      },
    }),
  ];
}

function defineListRoute(deps: AdminDeps): Route {
  return defineRoute({
    id: 'listInstabaseSecrets',
    method: 'get',
    path,
    face,
    summary: 'List secrets, all or those a workspace may use',
    tag,
    query: aliasListQuery,
    answer: { status: 200, description: 'Secrets.', schema: aliasListSchema },
    handle: async ({ actor, query }) => {
      const workspaceId = await readWorkspaceId(deps, actor, query.workspace);
      const { organizationId } = actor;
      const organization = await deps.organizations.readOrganization(organizationId);
      if (organization === undefined) throw new ControlError('not_found');
      const workspaces = await deps.organizations.listWorkspaces(organizationId);
      const names = new Map(workspaces.map(({ id, name }) => [id, name]));
      return respondJsonPages(
        pagesOf(deps, actor, query.alias, workspaceId),
        ({ secret }) => describeAlias(secret, organization, names),
        ['{"secrets":[', ']}'],
      );
    },
  });
}

async function* pagesOf(
  deps: AdminDeps,
  actor: Actor,
  alias: string | undefined,
  workspaceId: string | null,
): AsyncGenerator<readonly SecretRow[]> {
  if (alias !== undefined) {
    const row = await findAlias(deps, actor, alias);
    yield row !== undefined && isUsableIn(row.secret, workspaceId) ? [row] : [];
    return;
  }
  for await (const rows of deps.secrets.listAll(actor, { includeUnplaced: true })) {
    yield rows.filter(({ secret }) => isUsableIn(secret, workspaceId));
  }
}

/** `null`: whatever the workspace. Only an admin may leave it out. */
async function readWorkspaceId(
  { tenants }: AdminDeps,
  actor: Actor,
  named: string | undefined,
): Promise<string | null> {
  const isAdmin = actor.role === 'admin' || actor.role === 'root';
  if (named === undefined) {
    if (isAdmin) return null;
    throw new ControlError('forbidden', {
      message: 'Only organization admins may list without naming a workspace.',
    });
  }
  const workspace = await tenants.readWorkspace(actor, named);
  if (workspace !== undefined) return workspace.id;
  if (isAdmin) throw fieldError('workspace', `there is no workspace ${named}`);
  throw new ControlError('forbidden', { message: 'This API key may not see that workspace.' });
}

function isUsableIn(secret: Secret, workspaceId: string | null): boolean {
  if (workspaceId === null || secret.allowedWorkspacesType === 'ALL') return true;
  return secret.allowedWorkspacesType === 'SOME' && secret.allowedWorkspaces.includes(workspaceId);
}

async function readAlias(deps: AdminDeps, actor: Actor, alias: string): Promise<SecretRow> {
  const row = await findAlias(deps, actor, alias);
  if (row !== undefined) return row;
  throw new ControlError('not_found', { message: `There is no secret with the alias ${alias}.` });
}

/** An alias is the whole name, never a reference in another spelling. */
async function findAlias(
  { secrets }: AdminDeps,
  actor: Actor,
  alias: string,
): Promise<SecretRow | undefined> {
  try {
    const row = await secrets.read(actor, alias);
    return row.secret.name === alias ? row : undefined;
  } catch (error) {
    const isAbsent =
      error instanceof ControlError && ['not_found', 'bad_request'].includes(error.code);
    if (isAbsent) return undefined;
    throw error;
  }
}
