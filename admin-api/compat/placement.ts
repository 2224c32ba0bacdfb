/**
 * What both façades add to their own fields: where a secret is used, in the same write. And the values
 * they take: longer than a header can carry, several lines if need be.
 */
import { z } from '@hono/zod-openapi';
import { Hidden } from '../../src/kernel/hidden.ts';
import { FIXED } from '../../src/kernel/limits.ts';
import { authSchema } from '../contract/auth.ts';
import { optional, textMap } from '../contract/fields.ts';

export const storedValue = z
  .string()
  .min(1)
  .max(FIXED.facadeValueCharsMax)
  .transform((text) => new Hidden(text))
  .openapi({
    type: 'string',
    minLength: 1,
    maxLength: FIXED.facadeValueCharsMax,
    description: 'Cleartext. Never trimmed, never shown.',
    writeOnly: true,
  });

export const provider = optional(z.string().trim()).openapi({
  description: 'Ours: a provider of GET /providers, instead of auth and hosts.',
});
export const providerParams = optional(textMap).openapi({ description: 'Ours.' });
export const auth = optional(authSchema).openapi({ description: 'Ours: as in POST /secrets.' });
export const hosts = optional(z.array(z.string())).openapi({
  description: 'Ours: as in POST /secrets.',
});
