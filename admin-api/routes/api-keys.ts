/** `/api-keys`: keys of this API. */
import { z } from '@hono/zod-openapi';
import {
  apiKeyCreateSchema,
  apiKeyInputOf,
  apiKeySchema,
  createdApiKeySchema,
  describeApiKey,
} from '../contract/api-key.ts';
import type { AdminDeps } from '../deps.ts';
import { respondJson, respondNothing } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';

const tag = 'API keys';

export function defineApiKeyRoutes({ apiKeys }: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'createApiKey',
      method: 'post',
      path: '/api-keys',
      summary: 'Create an API key; it is shown this once',
      tag,
      body: apiKeyCreateSchema,
      answer: { status: 201, description: 'The key.', schema: createdApiKeySchema },
      handle: async ({ actor, body }) => {
        const { apiKey, key } = await apiKeys.create(actor, apiKeyInputOf(body));
        return respondJson(201, { ...describeApiKey(apiKey), key });
      },
    }),
    defineRoute({
      id: 'listApiKeys',
      method: 'get',
      path: '/api-keys',
      summary: 'List API keys',
      tag,
      answer: { status: 200, description: 'Keys.', schema: z.array(apiKeySchema) },
      handle: async ({ actor }) => {
        return respondJson(200, (await apiKeys.list(actor)).map(describeApiKey));
      },
    }),
    defineRoute({
      id: 'deleteApiKey',
      method: 'delete',
      path: '/api-keys/{id}',
      summary: 'Delete an API key; the last admin key stays',
      tag,
      answer: { status: 204, description: 'Gone.' },
      refuses: ['conflict'],
      handle: async ({ actor, params }) => {
        await apiKeys.delete(actor, params['id'] ?? '');
        return respondNothing();
      },
    }),
  ];
}
