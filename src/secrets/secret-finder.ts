/**
 * From what an admin calls a secret to its row: references of every kind, the reach of a narrowed key (what
 * it may not see is not there), and use that the store does not know yet.
 */
import { ControlError } from '../kernel/errors.ts';
import { fieldError } from '../kernel/field-error.ts';
import type { Actor } from '../organizations/actor.ts';
import type { OrganizationStore } from '../organizations/organization-store.ts';
import { isSecretInReach } from '../organizations/roles.ts';
import type { UsageBook } from '../usage/usage-store.ts';
import { SecretReferences } from './secret-reference.ts';
import type { SecretRow, SecretStore, SecretUsage } from './secret-store.ts';

export interface SecretFinderDeps {
  readonly store: Pick<SecretStore, 'readSecret' | 'readVersion'>;
  readonly organizations: Pick<OrganizationStore, 'readOrganization'>;
  readonly usage: Pick<UsageBook, 'pendingOf' | 'flush'>;
}

export interface FoundSecret {
  readonly row: SecretRow;
  /** The version that the name names; `null`: none. */
  readonly version: number | null;
}

export class SecretFinder {
  readonly #deps: SecretFinderDeps;
  readonly #references: SecretReferences;

  constructor(deps: SecretFinderDeps) {
    this.#deps = deps;
    this.#references = new SecretReferences(deps.organizations);
  }

  /** ControlError `not_found`, also for what the key may not see. */
  async find(actor: Actor, name: string): Promise<FoundSecret> {
    const { organizationId } = actor;
    const { store } = this.#deps;
    const reference = await this.#references.resolve(organizationId, name);
    const row = reference && (await store.readSecret(organizationId, reference.name));
    if (reference === undefined || row === undefined || !isSecretInReach(actor, row.secret.id)) {
      throw notFound(name);
    }
    const { version } = reference;
    const isThere =
      version === null ||
      (await store.readVersion(organizationId, row.secret.id, version)) !== undefined;
    if (!isThere) throw notFound(name);
    return { row: { ...row, usage: this.currentUsage(row) }, version };
  }

  /** As `find`; what concerns every version cannot name one. */
  async findWhole(actor: Actor, name: string): Promise<SecretRow> {
    const { row, version } = await this.find(actor, name);
    if (version === null) return row;
    throw fieldError('name', 'names one version; this concerns the secret as a whole');
  }

  /** Lets a read of the store that follows see what was counted so far. Never rejects. */
  async settleUse(): Promise<void> {
    await this.#deps.usage.flush().catch(() => undefined);
  }

  currentUsage(row: SecretRow): SecretUsage {
    const pending = this.#deps.usage.pendingOf(row.secret.id);
    return {
      lastUsedAtMs: later(row.usage.lastUsedAtMs, pending.lastUsedAtMs),
      lastAnsweredAtMs: later(row.usage.lastAnsweredAtMs, pending.lastAnsweredAtMs),
    };
  }
}

function later(one: number | null, other: number | null): number | null {
  return one === null ? other : Math.max(one, other ?? one);
}

function notFound(name: string): ControlError {
  return new ControlError('not_found', { message: `There is no secret named ${name}.` });
}
