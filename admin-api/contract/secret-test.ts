/** `POST /secrets/{name}/test` on the wire. The query of the URL is not repeated in the answer. */
import { z } from '@hono/zod-openapi';
import type { ProbeAnswer } from '../../src/secrets/secret-tester.ts';
import { splitQuery } from '../../src/wire/query-keys.ts';
import { optional } from './fields.ts';
import { authFailureKindSchema } from './version.ts';

export const secretTestSchema = z
  .strictObject({
    url: optional(z.string().max(65_536)).openapi({
      description: 'A URL the secret is for. Default: its first exact host.',
    }),
    method: optional(z.enum(['GET', 'HEAD'])),
    sandbox: optional(z.string()).openapi({
      description: 'The id of a sandbox that has the secret: its bindings and network rules count.',
    }),
  })
  .openapi('SecretTest', { example: { url: 'https://api.example.com/v1/me' } });

export const secretTestResultSchema = z
  .object({
    url: z.string(),
    method: z.string(),
    status: z.int().nullable().openapi({ description: 'What the origin answered.' }),
    code: z.string().nullable().openapi({
      description: 'Why it was not asked, or did not answer: a code as the proxy refuses with.',
    }),
    auth_ok: z.boolean().nullable().openapi({ description: 'Null: the answer does not tell.' }),
    classification: authFailureKindSchema.nullable(),
    version: z.int().nullable(),
    latency_ms: z.int(),
    detail: z.string(),
  })
  .openapi('SecretTestResult');

export function describeProbe(
  url: string,
  method: string,
  answer: ProbeAnswer,
): z.infer<typeof secretTestResultSchema> {
  return {
    url: splitQuery(url).path,
    method,
    status: answer.status,
    code: answer.code,
    auth_ok: answer.isAccepted,
    classification: answer.kind,
    version: answer.version,
    latency_ms: answer.latencyMs,
    detail: answer.detail,
  };
}
