/** `/secrets/{name}/versions`, `/rollback`, `/rollout`: what was given when, back to it, how far it has come. */
import { z } from '@hono/zod-openapi';
import { describeSecret, secretSchema } from '../contract/secret.ts';
import {
  describeRollout,
  describeVersion,
  rollbackSchema,
  rolloutSchema,
  versionSchema,
} from '../contract/version.ts';
import type { AdminDeps } from '../deps.ts';
import { respondJson } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';

const tag = 'Secrets';

export function defineVersionRoutes({ versions, clock }: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'listSecretVersions',
      method: 'get',
      path: '/secrets/{name}/versions',
      summary: 'Versions of a secret, newest first; never their values',
      tag,
      answer: { status: 200, description: 'Versions.', schema: z.array(versionSchema) },
      handle: async ({ actor, params }) => {
        const rows = await versions.list(actor, params['name'] ?? '');
        return respondJson(200, rows.map(describeVersion));
      },
    }),
    defineRoute({
      id: 'rollbackSecret',
      method: 'post',
      path: '/secrets/{name}/rollback',
      summary: 'Make an earlier version active again, from the next request',
      tag,
      body: rollbackSchema,
      answer: { status: 200, description: 'The secret.', schema: secretSchema },
      refuses: ['conflict'],
      handle: async ({ actor, params, body }) => {
        const row = await versions.rollback(actor, params['name'] ?? '', body.version);
        return respondJson(200, describeSecret(row, clock.nowMs()));
      },
    }),
    defineRoute({
      id: 'readSecretRollout',
      method: 'get',
      path: '/secrets/{name}/rollout',
      summary:
        'Requests each version served since the last rotation; is the old value safe to revoke',
      tag,
      answer: { status: 200, description: 'How far it has come.', schema: rolloutSchema },
      handle: async ({ actor, params }) => {
        const rollout = await versions.rollout(actor, params['name'] ?? '');
        return respondJson(200, describeRollout(rollout, clock.nowMs()));
      },
    }),
  ];
}
