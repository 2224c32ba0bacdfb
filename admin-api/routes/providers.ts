/** `/providers`: the catalogue. */
import { z } from '@hono/zod-openapi';
import { describeProvider, providerSchema } from '../contract/provider.ts';
import type { AdminDeps } from '../deps.ts';
import { respondJson } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';

export function defineProviderRoutes({ catalogue }: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'listProviders',
      method: 'get',
      path: '/providers',
      summary: 'Provider shortcuts, by name',
      tag: 'Providers',
      answer: { status: 200, description: 'Providers.', schema: z.array(providerSchema) },
      handle: () => respondJson(200, catalogue.list().map(describeProvider)),
    }),
  ];
}
