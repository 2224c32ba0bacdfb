/**
 * How TrueFoundry words failures: `{statusCode, message, code?, details?}`, and 422 for a body that is
 * JSON and does not validate, where the native API says 400.
 */
import { z } from '@hono/zod-openapi';
import { CONTROL_ERRORS, type ControlError } from '../../src/kernel/errors.ts';
import type { Face } from '../face.ts';
import { MalformedBody } from '../read-body.ts';

export const TRUEFOUNDRY: Face = {
  organizationHeader: null,
  repeatable: ['attributes'],
  failureSchema: z
    .object({
      statusCode: z.int(),
      message: z.string(),
      code: z.string().optional(),
      details: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    })
    .openapi('TrueFoundryError'),
  describeFailure: (error) => {
    const { code, message, details } = error;
    const statusCode = statusOf(error);
    const faults = details.length === 0 ? {} : { details };
    return { status: statusCode, body: { statusCode, message, code, ...faults } };
  },
};

function statusOf(error: ControlError): number {
  const { status } = CONTROL_ERRORS[error.code];
  return status === 400 && !(error instanceof MalformedBody) ? 422 : status;
}
