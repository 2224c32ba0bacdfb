/** `/sandboxes/{id}/secrets`, `/token`, `/env`, `/disconnect`: what a sandbox holds and has open. */
import { z } from '@hono/zod-openapi';
import { formatEnv } from '../../src/sandboxes/sandbox-env.ts';
import {
  bindingCreateSchema,
  bindingSchema,
  tokenCreateSchema,
  tokenSchema,
} from '../contract/sandbox.ts';
import { envQuery, envSchema } from '../contract/env.ts';
import type { AdminDeps } from '../deps.ts';
import { respondJson, respondNothing, respondText } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';
import { describeEnv } from './sandbox-files.ts';

const tag = 'Sandboxes';

export function defineBindingRoutes(deps: AdminDeps): Route[] {
  return [...defineAttachRoutes(deps), ...defineAccessRoutes(deps)];
}

function defineAttachRoutes({ bindings }: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'attachSecret',
      method: 'post',
      path: '/sandboxes/{id}/secrets',
      summary: 'Bind a secret to an environment variable',
      tag,
      body: bindingCreateSchema,
      answer: { status: 201, description: 'The binding.', schema: bindingSchema },
      refuses: ['secret_not_found', 'conflict'],
      handle: async ({ actor, params, body }) => {
        const { binding, secretName } = await bindings.attach(actor, params['id'] ?? '', {
          envKey: body.env_key,
          secretName: body.secret_name,
          inject: body.inject,
        });
        const { envKey, placeholder, inject, pinnedVersion } = binding;
        return respondJson(201, {
          env_key: envKey,
          secret_name: secretName,
          placeholder,
          inject,
          version: pinnedVersion,
        } satisfies z.infer<typeof bindingSchema>);
      },
    }),
    defineRoute({
      id: 'detachSecret',
      method: 'delete',
      path: '/sandboxes/{id}/secrets/{env_key}',
      summary: 'Detach a secret; its placeholder is refused from now on',
      tag,
      answer: { status: 204, description: 'Detached.' },
      handle: async ({ actor, params }) => {
        await bindings.detach(actor, params['id'] ?? '', params['env_key'] ?? '');
        return respondNothing();
      },
    }),
  ];
}

function defineAccessRoutes(deps: AdminDeps): Route[] {
  const { sandboxes } = deps;
  return [
    defineRoute({
      id: 'replaceProxyToken',
      method: 'post',
      path: '/sandboxes/{id}/token',
      summary: 'A new proxy token; the old one ends at once or after overlap_seconds',
      tag,
      body: tokenCreateSchema,
      isBodyRequired: false,
      answer: { status: 200, description: 'The token, this once.', schema: tokenSchema },
      handle: async ({ actor, params, body }) => {
        const overlap = body.overlap_seconds ?? 0;
        const token = await sandboxes.replaceToken(actor, params['id'] ?? '', overlap);
        return respondJson(200, { proxy_token: token });
      },
    }),
    defineRoute({
      id: 'readSandboxEnv',
      method: 'get',
      path: '/sandboxes/{id}/env',
      summary: 'The variables as they are now, TOKEN standing where the token goes',
      tag,
      query: envQuery,
      answer: {
        status: 200,
        description: 'JSON, or text by format.',
        schema: envSchema,
        forms: [{ contentType: 'text/plain', schema: z.string() }],
      },
      handle: async ({ actor, params, query }) => {
        const row = await sandboxes.read(actor, params['id'] ?? '');
        const env = describeEnv(deps, row, 'TOKEN', query.ca_dir);
        if (query.format === undefined || query.format === 'json') return respondJson(200, env);
        return respondText(200, formatEnv(env, query.format), 'text/plain');
      },
    }),
    defineRoute({
      id: 'disconnectSandbox',
      method: 'post',
      path: '/sandboxes/{id}/disconnect',
      summary: 'Close every connection a sandbox has open',
      tag,
      answer: { status: 204, description: 'Closed.' },
      handle: async ({ actor, params }) => {
        await sandboxes.disconnect(actor, params['id'] ?? '');
        return respondNothing();
      },
    }),
  ];
}
