/** How Instabase AI Hub words failures (`{"message"}`), and where it names the organization. */
import { z } from '@hono/zod-openapi';
import { CONTROL_ERRORS } from '../../src/kernel/errors.ts';
import type { Face } from '../face.ts';

export const INSTABASE: Face = {
  organizationHeader: 'ib-context',
  repeatable: [],
  failureSchema: z.object({ message: z.string() }).openapi('InstabaseError'),
  describeFailure: ({ code, message }) => ({
    status: CONTROL_ERRORS[code].status,
    body: { message },
  }),
};
