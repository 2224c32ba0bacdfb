/** The query of `GET /sandboxes/{id}/env`. */
import { z } from '@hono/zod-openapi';

export const envQuery = z.strictObject({
  format: z.enum(['json', 'shell', 'dotenv']).optional(),
  ca_dir: z
    .string()
    .max(1_024)
    .regex(/^\/[^\x00-\x1f\x7f]*$/, 'must be an absolute path')
    .optional(),
});
