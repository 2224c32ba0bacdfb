/**
 * The versions of a secret as the control plane sees them: listed, an earlier one made active again, and
 * how far a rotation has come. A rollback is in force when its promise resolves; like a rotation it closes
 * nothing, and unlike one it never overlaps.
 */
import type { DeedRecorder } from '../activity/activity-journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { ControlError } from '../kernel/errors.ts';
import { fieldError } from '../kernel/field-error.ts';
import type { Actor } from '../organizations/actor.ts';
import { checkRole } from '../organizations/roles.ts';
import type { PolicyChanges } from '../policy/policy-feed.ts';
import { decideRollout, type Rollout } from './rollout.ts';
import { rollbackDeed } from './secret-deed.ts';
import { SecretFinder, type SecretFinderDeps } from './secret-finder.ts';
import type { SecretRow, SecretStore, VersionRow } from './secret-store.ts';
import type { Secret } from './secret.ts';

export interface SecretVersionsDeps extends SecretFinderDeps {
  readonly store: Pick<SecretStore, 'readSecret' | 'readVersion' | 'updateSecret' | 'listVersions'>;
  readonly changes: PolicyChanges;
  readonly activity: DeedRecorder;
  readonly clock: Clock;
}

/** How often a write is computed anew after somebody else was faster. */
const ATTEMPTS_MAX = 20;

export class SecretVersions {
  readonly #deps: SecretVersionsDeps;
  readonly #finder: SecretFinder;

  constructor(deps: SecretVersionsDeps) {
    this.#deps = deps;
    this.#finder = new SecretFinder(deps);
  }

  /** Newest first. ControlError `not_found`. */
  async list(actor: Actor, name: string): Promise<readonly VersionRow[]> {
    checkRole(actor, 'read');
    const { row } = await this.#finder.find(actor, name);
    return this.#list(row.secret);
  }

  /** ControlError `not_found`. */
  async rollout(actor: Actor, name: string): Promise<Rollout> {
    checkRole(actor, 'read');
    await this.#finder.settleUse();
    const { secret } = await this.#finder.findWhole(actor, name);
    return decideRollout(secret, await this.#list(secret), this.#deps.clock.nowMs());
  }

  /**
   * ControlError `not_found`, `bad_request` (no such version), `conflict` (its value is destroyed, or was
   * never given for where the secret goes now).
   */
  async rollback(actor: Actor, name: string, version: number): Promise<SecretRow> {
    checkRole(actor, 'administer');
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const row = await this.#finder.findWhole(actor, name);
      if (row.secret.version === version) return row;
      const target = await this.#readUsable(row.secret, version);
      const secret = rolledBack(actor, row.secret, target, this.#deps.clock.nowMs());
      if (!(await this.#deps.store.updateSecret(secret, null))) continue;
      const { organizationId, id: secretId } = secret;
      await Promise.all([
        this.#deps.changes.announce({ kind: 'secret', organizationId, secretId }),
        this.#deps.activity.recordDone(actor, rollbackDeed(row.secret, secret)),
      ]);
      return { secret, usage: row.usage, health: target.health };
    }
    throw new ControlError('conflict', { message: 'Others keep changing this secret; try again.' });
  }

  async #list({ organizationId, id }: Secret): Promise<readonly VersionRow[]> {
    await this.#finder.settleUse();
    return this.#deps.store.listVersions(organizationId, id);
  }

  async #readUsable(secret: Secret, version: number): Promise<VersionRow> {
    const rows = await this.#list(secret);
    const row = rows.find((one) => one.version === version);
    if (row === undefined) throw fieldError('version', `there is no version ${version}`);
    if (row.isDestroyed) {
      throw new ControlError('conflict', {
        message: `The value of version ${version} was destroyed (secrets.versions_kept); rotate instead.`,
      });
    }
    if (version < secret.oldestUsableVersion) {
      throw new ControlError('conflict', {
        message: `Version ${version} was never given for where this secret goes now; versions from ${secret.oldestUsableVersion} on can be used. Rotate instead.`,
      });
    }
    return row;
  }
}

function rolledBack(
  actor: Actor,
  before: Secret,
  target: Pick<VersionRow, 'id' | 'version'>,
  nowMs: number,
): Secret {
  return {
    ...before,
    version: target.version,
    activeVersionId: target.id,
    rotation: before.rotation + 1,
    overlap: null,
    rotatedAtMs: nowMs,
    updatedAtMs: Math.max(nowMs, before.updatedAtMs),
    updatedBy: actor.subject,
    revision: before.revision + 1,
  };
}
