/** The provider catalogue on the wire. */
import { z } from '@hono/zod-openapi';
import type { Provider } from '../../src/providers/catalogue.ts';
import { describeShape } from '../../src/providers/token-shape.ts';
import { authKindSchema, authTypeSchema, describeAuth, describeAuthKind } from './auth.ts';

export const providerSchema = z
  .object({
    name: z.string(),
    display: z.string(),
    auth_type: authTypeSchema,
    auth_config: z.record(z.string(), z.unknown()),
    hosts: z.array(z.string()),
    token_shape: z.string(),
    auth_kind: authKindSchema,
    provider_params: z.record(
      z.string(),
      z.object({ description: z.string(), pattern: z.string(), required: z.boolean() }),
    ),
    docs: z.string(),
    /** Environment variables that usually hold its key. */
    env: z.array(z.string()),
    note: z.string().nullable(),
  })
  .openapi('Provider');

export function describeProvider(provider: Provider): z.infer<typeof providerSchema> {
  return {
    name: provider.name,
    display: provider.display,
    ...describeAuth(provider.auth),
    hosts: [...provider.hosts],
    token_shape: describeShape(provider.tokenShape),
    auth_kind: describeAuthKind(provider.auth),
    provider_params: describeParams(provider.params),
    docs: provider.docs,
    env: [...provider.env],
    note: provider.note,
  };
}

function describeParams(
  params: Provider['params'],
): z.infer<typeof providerSchema>['provider_params'] {
  return Object.fromEntries(
    Object.entries(params).map(([name, { description, pattern, optional }]) => [
      name,
      { description, pattern, required: optional !== true },
    ]),
  );
}
