/** `GET /sandboxes/{id}/env`: its query and its answer. */
import { z } from '@hono/zod-openapi';
import { textMap } from './fields.ts';

/** Variable → what it holds. */
export const envSchema = textMap.openapi('Environment');

export const envQuery = z.strictObject({
  format: z.enum(['json', 'shell', 'dotenv']).optional(),
  ca_dir: z
    .string()
    .max(1_024)
    .regex(/^\/[^\x00-\x1f\x7f]*$/, 'must be an absolute path')
    .optional(),
});
