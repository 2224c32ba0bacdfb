/** Versions of a secret on the wire: their list, a rollback, how far a rotation has come, their health. */
import { z } from '@hono/zod-openapi';
import type { Rollout } from '../../src/secrets/rollout.ts';
import type { SecretHealth } from '../../src/secrets/secret-health.ts';
import type { VersionRow } from '../../src/secrets/secret-store.ts';
import type { Secret } from '../../src/secrets/secret.ts';
import { formatOptionalTime, formatTime, timeOutput } from './fields.ts';

export const authFailureKindSchema = z
  .enum(['expired', 'wrong_scheme', 'wrong_prefix', 'scope', 'unknown'])
  .openapi({ description: 'Why the origin refused the credential, as far as it says.' });

/** Of the active version where it stands on a secret. */
export const healthFields = {
  auth_failures: z.int().openapi({
    description: 'Refused credentials (401, 403) since one was last accepted.',
  }),
  last_auth_failure_at: timeOutput.nullable(),
  auth_failure_kind: authFailureKindSchema.nullable(),
};

export const versionSchema = z
  .object({
    version: z.int(),
    created_at: timeOutput,
    created_by: z.string(),
    active: z.boolean(),
    last_used_at: timeOutput.nullable(),
    destroyed: z.boolean().openapi({ description: 'Its value was destroyed by retention.' }),
    ...healthFields,
  })
  .openapi('SecretVersion');

export const rollbackSchema = z
  .strictObject({ version: z.int().min(1) })
  .openapi('SecretRollback', { example: { version: 1 } });

export const rolloutSchema = z
  .object({
    rotated_at: timeOutput,
    active_version: z.int(),
    overlap_ends_at: timeOutput.nullable(),
    versions: z.array(
      z.object({
        version: z.int(),
        requests_since_rotation: z.int(),
        last_used_at: timeOutput.nullable(),
        pinned_bindings: z.int(),
        ...healthFields,
      }),
    ),
    safe_to_revoke: z.boolean().openapi({
      description: 'May the values of all versions but the active one be revoked at their issuer?',
    }),
    reason: z.string(),
  })
  .openapi('SecretRollout');

export function describeHealth(health: SecretHealth) {
  return {
    auth_failures: health.authFailures,
    last_auth_failure_at: formatOptionalTime(health.lastAuthFailureAtMs),
    auth_failure_kind: health.authFailureKind,
  };
}

/** `null` also when it has passed. */
export function overlapEndOf({ overlap }: Secret, nowMs: number): number | null {
  return overlap !== null && overlap.endsAtMs > nowMs ? overlap.endsAtMs : null;
}

export function describeVersion(row: VersionRow): z.infer<typeof versionSchema> {
  return {
    version: row.version,
    created_at: formatTime(row.createdAtMs),
    created_by: row.createdBy,
    active: row.active,
    last_used_at: formatOptionalTime(row.lastUsedAtMs),
    destroyed: row.isDestroyed,
    ...describeHealth(row.health),
  };
}

export function describeRollout(rollout: Rollout, nowMs: number): z.infer<typeof rolloutSchema> {
  const { secret } = rollout;
  return {
    rotated_at: formatTime(secret.rotatedAtMs),
    active_version: secret.version,
    overlap_ends_at: formatOptionalTime(overlapEndOf(secret, nowMs)),
    versions: rollout.versions.map((row) => ({
      version: row.version,
      requests_since_rotation: row.requestsSinceRotation,
      last_used_at: formatOptionalTime(row.lastUsedAtMs),
      pinned_bindings: row.pins,
      ...describeHealth(row.health),
    })),
    safe_to_revoke: rollout.isSafeToRevoke,
    reason: rollout.reason,
  };
}
