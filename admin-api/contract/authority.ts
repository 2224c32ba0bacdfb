/** The certificate authority on the wire: which roots sandboxes are given, and which one signs. */
import { z } from '@hono/zod-openapi';
import type { RootView } from '../../src/ca/root.ts';
import type { AuthorityView } from '../../src/ca/rotation.ts';
import { formatOptionalTime, formatTime, optional, timeOutput } from './fields.ts';

/** A year: longer is no rotation. */
const OVERLAP_SECONDS_MAX = 31_536_000;

export const rotateSchema = z
  .strictObject({
    switch_after_seconds: optional(z.int().min(0).max(OVERLAP_SECONDS_MAX)).openapi({
      description: 'The new CA signs from then on; left out: as ca.rotation_overlap says.',
    }),
  })
  .openapi('RotateCa', {
    example: { switch_after_seconds: 86_400 },
  });

const rootSchema = z
  .object({
    subject: z.string(),
    fingerprint_sha256: z.string(),
    not_before: timeOutput,
    not_after: timeOutput,
    pem: z.string(),
  })
  .openapi('CaRoot');

export const authoritySchema = z
  .object({
    phase: z.enum(['steady', 'overlap', 'switched']),
    active: rootSchema,
    // A union, because `nullable` of a named schema is written as one that takes no null.
    next: z.union([rootSchema, z.null()]),
    retired: z.union([rootSchema, z.null()]),
    switch_at: timeOutput.nullable(),
  })
  .openapi('CertificateAuthority');

export function describeAuthority(view: AuthorityView): z.infer<typeof authoritySchema> {
  return {
    phase: view.phase,
    active: describeRoot(view.active),
    next: view.next === null ? null : describeRoot(view.next),
    retired: view.retired === null ? null : describeRoot(view.retired),
    switch_at: formatOptionalTime(view.switchAtMs),
  };
}

function describeRoot(root: RootView): z.infer<typeof rootSchema> {
  return {
    subject: root.subject,
    fingerprint_sha256: root.fingerprint,
    not_before: formatTime(root.notBeforeMs),
    not_after: formatTime(root.notAfterMs),
    pem: root.certPem,
  };
}
