/**
 * How another system's API differs from the native one where it is served: the header that names the
 * organization, and the shape of its failures. Everything else is the same handler and the same domain.
 */
import type { z } from '@hono/zod-openapi';
import type { ControlError } from '../src/kernel/errors.ts';

/** A failure as the face words it; `status` may differ from the native one. */
export interface FaceFailure {
  readonly status: number;
  readonly body: unknown;
}

export interface Face {
  /** Lower case; read before `X-Organization`. */
  readonly organizationHeader: string | null;
  /** Query parameters that may be given more than once; the last one counts. */
  readonly repeatable: readonly string[];
  readonly failureSchema: z.ZodType;
  /** Faults of ours come as `internal_error`, which says nothing. */
  readonly describeFailure: (error: ControlError) => FaceFailure;
}
