/**
 * The document that `sallyport export` writes and `sallyport apply` reads: what an organization has,
 * without values. Fields are those of the native API; beside them only names and where a value comes from.
 */
import { z } from '@hono/zod-openapi';
import { authSchema } from './auth.ts';
import { optional, textMap } from './fields.ts';
import type { providerSchema } from './provider.ts';
import { bindingCreateSchema, sandboxCreateSchema, type sandboxSchema } from './sandbox.ts';
import { secretPatchSchema, type secretSchema } from './secret.ts';

/** Exactly one source; a value itself never stands in a document. */
const valueFrom = z.union([
  z.strictObject({ env: z.string().min(1) }),
  z.strictObject({ file: z.string().min(1) }),
  z.strictObject({ stdin: z.string().min(1) }),
]);

const secret = secretPatchSchema
  .omit({ value: true, overlap_seconds: true })
  .extend({ name: z.string(), value_from: optional(valueFrom) });

const sandbox = sandboxCreateSchema
  .omit({ from_template: true, from_snapshot: true, preview_access: true, ttl_seconds: true })
  .extend({ secrets: optional(z.union([textMap, z.array(bindingCreateSchema)])) });

const manifest = z.strictObject({
  integration_fqn: optional(z.string()),
  collaborators: optional(z.array(z.strictObject({ subject: z.string(), role_id: z.string() }))),
  ownedBy: optional(z.strictObject({ account: z.string() })),
});

const group = z.strictObject({
  name: z.string(),
  integration_id: optional(z.string()),
  manifest: optional(manifest),
});

export const bulkDocumentSchema = z.strictObject({
  /** Version of the document's shape. */
  sallyport: z.literal(1),
  workspaces: z.array(z.strictObject({ name: z.string() })).optional(),
  groups: z.array(group).optional(),
  secrets: z.array(secret).optional(),
  sandboxes: z.array(sandbox).optional(),
});

export type BulkDocument = z.output<typeof bulkDocumentSchema>;
export type BulkSecret = NonNullable<BulkDocument['secrets']>[number];
export type BulkSandbox = NonNullable<BulkDocument['sandboxes']>[number];
export type BulkGroup = NonNullable<BulkDocument['groups']>[number];
export type ValueFrom = z.output<typeof valueFrom>;

/** What the API answers, as far as a plan reads it. */
export type SecretAnswer = z.infer<typeof secretSchema>;
export type SandboxAnswer = z.infer<typeof sandboxSchema>;
export type ProviderAnswer = z.infer<typeof providerSchema>;

/** `auth_kind` and `auth_config` of an answer, as the `auth` of a request. */
export function authOfAnswer(answer: Pick<SecretAnswer, 'auth_kind' | 'auth_config'>) {
  if (answer.auth_kind === 'none') return null;
  if (answer.auth_kind === 'per_host') return authSchema.parse(answer.auth_config);
  return authSchema.parse({ type: answer.auth_kind, ...answer.auth_config });
}
