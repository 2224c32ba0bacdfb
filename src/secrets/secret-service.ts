/**
 * Secrets as the control plane changes them: create, read, change, rotate, delete. Holds the rules that
 * do not depend on how a request is spelled: names, placement, widening, who may. Knows storage by
 * contract only, can seal values and never open them. A change is in force when its promise resolves.
 */
import type { DeedRecorder } from '../activity/activity-journal.ts';
import type { AuditStore, SecretAuditFilter, SecretAuditRow } from '../audit/audit-store.ts';
import { ControlError } from '../kernel/errors.ts';
import type { Hidden } from '../kernel/hidden.ts';
import { fieldError } from '../kernel/field-error.ts';
import type { Actor } from '../organizations/actor.ts';
import type { OrganizationStore } from '../organizations/organization-store.ts';
import { checkRole, isSecretInReach } from '../organizations/roles.ts';
import type { PolicyChanges } from '../policy/policy-feed.ts';
import type { UsageBook } from '../usage/usage-store.ts';
import { changeDeed, creationDeed, deletionDeed } from './secret-deed.ts';
import { SecretDrafter, type SecretDrafterDeps } from './secret-drafter.ts';
import { SecretFinder } from './secret-finder.ts';
import { UNTRIED } from './secret-health.ts';
import type { SecretInput } from './secret-input.ts';
import { parseSecretName } from './secret-name.ts';
import type { SecretPage } from './secret-page.ts';
import type { SecretRevealer } from './secret-revealer.ts';
import type { SecretBindingRow, SecretFilter, SecretRow, SecretStore } from './secret-store.ts';
import type { Secret } from './secret.ts';
import type { VersionRetention } from './version-retention.ts';

export interface SecretServiceDeps extends SecretDrafterDeps {
  readonly store: SecretStore;
  readonly organizations: Pick<OrganizationStore, 'readWorkspace' | 'readOrganization'>;
  readonly retention: VersionRetention;
  readonly audit: Pick<AuditStore, 'listSecretAudit'>;
  readonly usage: Pick<UsageBook, 'pendingOf' | 'flush'>;
  readonly changes: PolicyChanges;
  readonly activity: DeedRecorder;
  readonly revealer: SecretRevealer;
}

/** How often a write is computed anew after somebody else was faster. */
const ATTEMPTS_MAX = 20;
const PAGE_ROWS = 500;

export class SecretService {
  readonly #deps: SecretServiceDeps;
  readonly #drafter: SecretDrafter;
  readonly #finder: SecretFinder;

  constructor(deps: SecretServiceDeps) {
    this.#deps = deps;
    this.#drafter = new SecretDrafter(deps);
    this.#finder = new SecretFinder(deps);
  }

  /** ControlError `bad_request`, `value_not_placeable`, `conflict` (the name is taken), `forbidden`. */
  async create(actor: Actor, name: string, input: SecretInput): Promise<SecretRow> {
    checkRole(actor, 'administer');
    const secretName = parseSecretName(name);
    if (input.value === undefined) throw fieldError('value', 'must be given');
    if (input.provider === undefined && (input.auth === undefined || input.hosts === undefined)) {
      throw fieldError('provider', 'must be given, or auth together with hosts');
    }
    return this.createStored(actor, secretName, input);
  }

  /** As `create`, but where it is used may be said later. `name` was checked by the façade. */
  async createStored(actor: Actor, name: string, input: SecretInput): Promise<SecretRow> {
    checkRole(actor, 'administer');
    if (actor.secretIds !== null) {
      throw new ControlError('forbidden', {
        message: 'This API key is narrowed to some secrets; a new one would not be among them.',
      });
    }
    const { secret, version } = await this.#drafter.draftNew(actor, name, input);
    await this.#deps.store.insertSecret(secret, version);
    // Sandboxes with `secrets_mode: all` have it from their next request.
    await Promise.all([
      this.#announce(secret),
      this.#deps.activity.recordDone(actor, creationDeed(secret)),
    ]);
    return { secret, usage: { lastUsedAtMs: null, lastAnsweredAtMs: null }, health: UNTRIED };
  }

  /** ControlError `not_found`, also for what the key may not see. */
  async read(actor: Actor, name: string): Promise<SecretRow> {
    checkRole(actor, 'read');
    await this.#finder.settleUse();
    return (await this.#finder.find(actor, name)).row;
  }

  /**
   * The value of the version the reference names, else of the active one. ControlError `not_found`,
   * `forbidden` for a role that is not admin, or where `secrets.allow_reveal` is off.
   */
  async reveal(actor: Actor, name: string): Promise<{ value: Hidden; version: number }> {
    checkRole(actor, 'administer');
    const { row, version } = await this.#finder.find(actor, name);
    const number = version ?? row.secret.version;
    return {
      value: await this.#deps.revealer.reveal(actor, row.secret, number),
      version: number,
    };
  }

  /** Newest first. With `filter.limit`, `next` tells where the following page begins. */
  async list(actor: Actor, filter: SecretFilter): Promise<SecretPage> {
    checkRole(actor, 'read');
    const { limit, unusedSinceMs } = filter;
    if (filter.after === undefined) await this.#finder.settleUse();
    const asked = limit === undefined ? filter : { ...filter, limit: limit + 1 };
    const found = await this.#deps.store.listSecrets(actor.organizationId, asked);
    const page = limit === undefined ? found : found.slice(0, limit);
    const last = found.length > page.length ? page.at(-1)?.secret : undefined;
    const rows = page
      .filter((row) => isSecretInReach(actor, row.secret.id))
      .map((row) => ({ ...row, usage: this.#finder.currentUsage(row) }))
      // The store does not know yet what was used within the last second.
      .filter(
        ({ usage }) => unusedSinceMs === undefined || (usage.lastUsedAtMs ?? 0) < unusedSinceMs,
      );
    return { rows, next: last ? { createdAtMs: last.createdAtMs, id: last.id } : null };
  }

  /** Everything, page after page, so that a long list never holds the thread or the memory. */
  async *listAll(actor: Actor, filter: SecretFilter): AsyncGenerator<readonly SecretRow[]> {
    let place: SecretFilter = filter;
    for (;;) {
      const { rows, next } = await this.list(actor, { ...place, limit: PAGE_ROWS });
      yield rows;
      if (next === null) return;
      place = { ...filter, after: next };
    }
  }

  /**
   * Applies `input`; what it does not say stays. ControlError as `create`, and `value_required` when the
   * change widens and carries no value.
   */
  async update(actor: Actor, name: string, input: SecretInput): Promise<SecretRow> {
    checkRole(actor, 'administer');
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const before = await this.#finder.findWhole(actor, name);
      const change = await this.#drafter.draftChange(actor, before.secret, input);
      if (await this.#deps.store.updateSecret(change.secret, change.version)) {
        const deed = changeDeed(before.secret, change);
        await Promise.all([
          this.#announce(change.secret),
          this.#deps.activity.recordDone(actor, deed),
        ]);
        if (change.version !== null) {
          await this.#deps.retention.apply(actor.organizationId, change.secret.id);
        }
        const health = change.version === null ? before.health : UNTRIED;
        return { secret: change.secret, usage: before.usage, health };
      }
    }
    throw new ControlError('conflict', { message: 'Others keep changing this secret; try again.' });
  }

  /** The name is free at once; the history stays. */
  async delete(actor: Actor, name: string): Promise<void> {
    checkRole(actor, 'administer');
    const { secret } = await this.#finder.findWhole(actor, name);
    const { store, clock, activity } = this.#deps;
    const isDeleted = await store.deleteSecret(actor.organizationId, secret.id, clock.nowMs());
    if (!isDeleted) throw new ControlError('not_found');
    const deed = deletionDeed(secret);
    await Promise.all([this.#announce(secret), activity.recordDone(actor, deed)]);
  }

  /** Newest first. */
  async listAudit(
    actor: Actor,
    name: string,
    filter: SecretAuditFilter,
  ): Promise<readonly SecretAuditRow[]> {
    const { secret } = await this.read(actor, name);
    return this.#deps.audit.listSecretAudit(actor.organizationId, secret.id, filter);
  }

  async listSandboxes(actor: Actor, name: string): Promise<readonly SecretBindingRow[]> {
    const { secret } = await this.read(actor, name);
    return this.#deps.store.listBindingsOfSecret(actor.organizationId, secret.id);
  }

  #announce(secret: Secret): Promise<void> {
    const { organizationId, id: secretId } = secret;
    return this.#deps.changes.announce({ kind: 'secret', organizationId, secretId });
  }
}
