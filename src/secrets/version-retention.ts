/**
 * How many values of a secret are kept (`secrets.versions_kept`): after a rotation those of older versions
 * are destroyed. What is active, overlaps or is pinned by a binding stays. A failure is logged and made up
 * for by the next rotation; the rotation itself stands.
 */
import type { Logger } from '../kernel/logger.ts';
import type { SecretStore } from './secret-store.ts';

export interface VersionRetentionDeps {
  readonly store: Pick<SecretStore, 'destroyOldVersions'>;
  readonly logger: Logger;
  /** At least 1. */
  readonly kept: number;
}

export class VersionRetention {
  readonly #deps: VersionRetentionDeps;

  constructor(deps: VersionRetentionDeps) {
    this.#deps = deps;
  }

  /** Never rejects. */
  async apply(organizationId: string, secretId: string): Promise<void> {
    const { store, logger, kept } = this.#deps;
    try {
      await store.destroyOldVersions(organizationId, secretId, kept);
    } catch (error) {
      logger.error({ err: error, secretId }, 'old versions of a secret could not be destroyed');
    }
  }
}
