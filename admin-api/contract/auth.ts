/**
 * `auth` as the native API spells it, and how a stored auth is shown. Fields that do not belong to a type
 * are refused by the strict shapes; what a shape cannot say is checked in `src/secrets/auth-rules.ts`.
 */
import { z } from '@hono/zod-openapi';
import { authKind, type Auth, type HostRule, type Placement } from '../../src/secrets/auth.ts';
import { optional, textMap } from './fields.ts';

function placement<Extra extends z.ZodRawShape>(extra: Extra) {
  return z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('bearer'), ...extra }),
    z.strictObject({ type: z.literal('basic'), username: optional(z.string()), ...extra }),
    z.strictObject({
      type: z.literal('api-key'),
      header: z.string(),
      prefix: optional(z.string()),
      ...extra,
    }),
    z.strictObject({ type: z.literal('custom'), headers: textMap, ...extra }),
    z.strictObject({ type: z.literal('query'), name: z.string(), ...extra }),
    z.strictObject({ type: z.literal('path'), ...extra }),
    z.strictObject({ type: z.literal('mtls'), ...extra }),
  ]);
}

const singleAuth = placement({});
const hostRule = placement({ hosts: z.array(z.string()), paths: optional(z.array(z.string())) });
const perHostAuth = z.strictObject({ per_host: z.array(hostRule) });

/** The output is the domain's `Auth`, without keys that were not given. */
export const authSchema = z
  .union([singleAuth, perHostAuth])
  .transform((auth): Auth => {
    if ('per_host' in auth) {
      return { perHost: auth.per_host.map((rule) => withoutAbsent(rule) as HostRule) };
    }
    return withoutAbsent(auth) as Placement;
  })
  .openapi('Auth');

/** Superserve's five; published clients refuse a list with any other. */
export const authTypeSchema = z.enum(['bearer', 'basic', 'api-key', 'custom', 'per_host']);
export type AuthType = z.infer<typeof authTypeSchema>;

export const authKindSchema = z.enum([
  ...authTypeSchema.options,
  'query',
  'path',
  'mtls',
  'none',
] as const);

/** `auth_type` and `auth_config` of a response. */
export function describeAuth(auth: Auth | null): {
  auth_type: AuthType;
  auth_config: Record<string, unknown>;
} {
  if (auth === null) return { auth_type: 'custom', auth_config: {} };
  if ('perHost' in auth) {
    return { auth_type: 'per_host', auth_config: { per_host: auth.perHost } };
  }
  const { type, ...config } = auth;
  const isKnown = authTypeSchema.safeParse(type).success;
  return { auth_type: isKnown ? (type as AuthType) : 'custom', auth_config: config };
}

export function describeAuthKind(auth: Auth | null): z.infer<typeof authKindSchema> {
  return authKind(auth);
}

/** Absent fields must not become present ones: an auth is compared as a whole. */
function withoutAbsent(record: object): object {
  const present = Object.entries(record).filter(
    ([key, value]) => value !== undefined && !(key === 'prefix' && value === ''),
  );
  return Object.fromEntries(present);
}
