/**
 * The shape of `config/providers.json`. Strict: a misspelt key in a row is a start error, not a key that
 * is silently not stripped.
 */
import { z } from 'zod';

const text = z.string().min(1);

const rulePart = { hosts: z.array(text).min(1), paths: z.array(text).min(1).exactOptional() };

function placement<Extra extends z.ZodRawShape>(extra: Extra) {
  return z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('bearer'), ...extra }),
    z.strictObject({ type: z.literal('basic'), username: z.string().exactOptional(), ...extra }),
    z.strictObject({
      type: z.literal('api-key'),
      header: text,
      prefix: text.exactOptional(),
      ...extra,
    }),
    z.strictObject({ type: z.literal('custom'), headers: z.record(text, text), ...extra }),
    z.strictObject({ type: z.literal('query'), name: text, ...extra }),
    z.strictObject({ type: z.literal('path'), ...extra }),
  ]);
}

const provider = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]*$/),
  display: text,
  docs: z.url(),
  /** Where host and placement were seen: vendor documentation, an SDK, public catalogues. */
  source: text,
  /** Environment variables that programs of this provider read their key from. */
  env: z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/)).default([]),
  /** What a user should know, one sentence or two. */
  note: text.nullable().default(null),
  hosts: z.array(text).min(1).max(16),
  auth: z.union([
    placement({}),
    z
      .strictObject({ per_host: z.array(placement(rulePart)).min(1) })
      .transform(({ per_host }) => ({ perHost: per_host })),
  ]),
  also_strip: z
    .strictObject({ headers: z.array(text).default([]), query: z.array(text).default([]) })
    .default({ headers: [], query: [] }),
  companion_headers: z.record(text, text).default({}),
  /** Absent: keys of this provider have no public shape, and placeholders are of ours. */
  token_shape: z
    .strictObject({
      prefix: z.string(),
      length: z.int().min(16).max(256),
      alphabet: z.enum(['alnum', 'base64url']),
    })
    .exactOptional(),
  /** Tenant variables: name → what it is, and what a value must look like. */
  params: z
    .record(
      z.string(),
      z.strictObject({
        description: text,
        pattern: text,
        optional: z.literal(true).exactOptional(),
      }),
    )
    .default({}),
});

export const catalogueSchema = z.strictObject({ providers: z.array(provider).min(1) });
