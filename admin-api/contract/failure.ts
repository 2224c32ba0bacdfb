/** The body of every error of the native API. */
import { z } from '@hono/zod-openapi';
import { CONTROL_ERRORS, type ControlErrorCode } from '../../src/kernel/errors.ts';

const codes = Object.keys(CONTROL_ERRORS) as ControlErrorCode[];

export const failureSchema = z
  .object({
    error: z.object({
      code: z.enum(codes),
      message: z.string(),
      details: z
        .array(z.object({ path: z.string(), message: z.string() }))
        .optional()
        .openapi({ description: 'The fields at fault.' }),
      request_id: z
        .string()
        .optional()
        .openapi({ description: 'With internal_error: for the log.' }),
    }),
  })
  .openapi('Error');

export type FailureBody = z.infer<typeof failureSchema>;
