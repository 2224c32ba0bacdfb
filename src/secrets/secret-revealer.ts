/**
 * Showing a value on purpose: only where `secrets.allow_reveal` is configured. Whoever calls has decided
 * that the role permits it. Each value shown is an event and a line of the log first: who, which version.
 */
import type { DeedRecorder } from '../activity/activity-journal.ts';
import { ControlError } from '../kernel/errors.ts';
import type { Hidden } from '../kernel/hidden.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Actor } from '../organizations/actor.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import type { Secret } from './secret.ts';
import type { ValueReader } from './value-reader.ts';

export interface SecretRevealerDeps {
  readonly secrets: Pick<SecretStore, 'readVersion'>;
  readonly values: Pick<ValueReader, 'openVersion'>;
  readonly activity: DeedRecorder;
  readonly logger: Logger;
  /** `secrets.allow_reveal`. */
  readonly allowReveal: boolean;
}

export class SecretRevealer {
  readonly #deps: SecretRevealerDeps;

  constructor(deps: SecretRevealerDeps) {
    this.#deps = deps;
  }

  get isAllowed(): boolean {
    return this.#deps.allowReveal;
  }

  /** ControlError `forbidden` where it is not configured, `not_found` for a version that is gone. */
  async reveal(
    actor: Actor,
    secret: Pick<Secret, 'id' | 'name'>,
    version: number,
  ): Promise<Hidden> {
    const { secrets, values, activity, logger } = this.#deps;
    if (!this.isAllowed) {
      throw new ControlError('forbidden', {
        message: 'Values are not shown here: secrets.allow_reveal is off.',
      });
    }
    const { organizationId, apiKeyId, subject } = actor;
    const sealed = await secrets.readVersion(organizationId, secret.id, version);
    if (sealed === undefined) throw new ControlError('not_found');
    const value = values.openVersion(sealed);
    await activity.recordFirst(actor, {
      action: 'secret.reveal',
      targetId: secret.id,
      targetName: secret.name,
      before: null,
      after: { version },
    });
    const who = { organizationId, apiKeyId, subject };
    logger.warn({ ...who, secretId: secret.id, version }, 'a value was revealed');
    return value;
  }
}
