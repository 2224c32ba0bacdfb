/**
 * `POST /explain` on the wire. The URL is taken apart without being normalized: the decision must see the
 * path exactly as a client would send it.
 */
import { z } from '@hono/zod-openapi';
import { Refusal } from '../../src/kernel/errors.ts';
import { fieldError } from '../../src/kernel/field-error.ts';
import type { Explanation } from '../../src/policy/explain.ts';
import type { RequestHead } from '../../src/policy/request-head.ts';
import { parseAuthority } from '../../src/wire/host.ts';
import { optional } from './fields.ts';

export const explainSchema = z
  .strictObject({
    sandbox: z.string().openapi({ description: 'The id of a sandbox.' }),
    method: z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/, 'must be a method token'),
    url: z.string().max(65_536),
    headers: optional(z.record(z.string(), z.union([z.string(), z.array(z.string())]))),
    resolve: optional(z.boolean()),
  })
  .openapi('ExplainRequest', {
    example: {
      sandbox: '5f1d7e0a-3f0b-4c57-9a59-0c6f2a6f5d10',
      method: 'POST',
      url: 'https://api.openai.com/v1/responses',
      headers: { 'content-type': 'application/json' },
    },
  });

export const explanationSchema = z
  .object({
    decision: z.enum(['allow', 'tunnel', 'intercept', 'deny']),
    code: z.string().nullable(),
    message: z.string(),
    hint: z.string().nullable(),
    network: z.object({
      verdict: z.enum(['allowed', 'blocked', 'unresolved']),
      match_rule: z.string().nullable(),
      would_refuse: z.string().nullable().openapi({
        description: 'With egress.mode: observe, the code that would refuse what is let pass.',
      }),
    }),
    intercept: z.boolean(),
    considered: z.array(
      z.object({
        secret_id: z.string(),
        secret_name: z.string(),
        env_key: z.string(),
        outcome: z.enum(['won', 'lost', 'refused', 'kept', 'not_matching']),
        reason: z.string(),
      }),
    ),
    sets: z.array(z.string()),
    strips: z.array(z.string()),
  })
  .openapi('Explanation');

/** The request as policy sees it. ControlError `bad_request` naming `url` or a header. */
export function requestHeadOf(
  body: Pick<z.output<typeof explainSchema>, 'method' | 'url' | 'headers'>,
): RequestHead {
  const parts = /^(https?):\/\/([^/?#\\\s]+)([/?][^#\s]*)?$/i.exec(body.url);
  if (parts === null) throw fieldError('url', 'must be an absolute http or https URL, no fragment');
  const scheme = parts[1]?.toLowerCase() === 'http' ? 'http' : 'https';
  const { host, port } = readAuthority(parts[2] ?? '', scheme === 'http' ? 80 : 443);
  const rest = parts[3] ?? '/';
  return {
    scheme,
    host,
    port,
    method: body.method,
    target: rest.startsWith('?') ? `/${rest}` : rest,
    fields: flattenFields(body.headers ?? {}),
  };
}

export function describeExplanation(found: Explanation): z.infer<typeof explanationSchema> {
  return {
    decision: found.decision,
    code: found.code,
    message: found.message,
    hint: found.hint,
    network: {
      verdict: found.network.verdict,
      match_rule: found.network.matchRule,
      would_refuse: found.network.wouldRefuse,
    },
    intercept: found.intercept,
    considered: found.considered.map((secret) => ({
      secret_id: secret.secretId,
      secret_name: secret.secretName,
      env_key: secret.envKey,
      outcome: secret.outcome,
      reason: secret.reason,
    })),
    sets: [...found.sets],
    strips: [...found.strips],
  };
}

function readAuthority(text: string, defaultPort: number) {
  try {
    return parseAuthority(text, defaultPort);
  } catch (error) {
    if (error instanceof Refusal) throw fieldError('url', error.message);
    throw error;
  }
}

function flattenFields(headers: Readonly<Record<string, string | readonly string[]>>): string[] {
  return Object.entries(headers).flatMap(([name, given]) => {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/.test(name)) {
      throw fieldError(`headers.${name}`, 'is not a header name');
    }
    const texts = typeof given === 'string' ? [given] : given;
    if (texts.some((text) => /[\x00-\x08\x0a-\x1f\x7f]/.test(text))) {
      throw fieldError(`headers.${name}`, 'contains a control character');
    }
    return texts.flatMap((text) => [name, text]);
  });
}
