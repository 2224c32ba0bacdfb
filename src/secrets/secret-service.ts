/**
 * Secrets as the control plane changes them: create, read, change, rotate, delete. Holds the rules that
 * do not depend on how a request is spelled: names, placement, widening, who may. Knows storage by
 * contract only, can seal values and never open them. A change is in force when its promise resolves.
 */
import type { AuditStore, SecretAuditFilter, SecretAuditRow } from '../audit/audit-store.ts';
import type { Clock } from '../kernel/clock.ts';
import { ControlError } from '../kernel/errors.ts';
import { fieldError } from '../kernel/field-error.ts';
import type { Hidden } from '../kernel/hidden.ts';
import { mintId } from '../kernel/ids.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Actor } from '../organizations/actor.ts';
import type { OrganizationStore } from '../organizations/organization-store.ts';
import { checkRole, isSecretInReach } from '../organizations/roles.ts';
import type { PolicyChanges } from '../policy/policy-feed.ts';
import type { ProviderCatalogue } from '../providers/catalogue.ts';
import type { UsageBook } from '../usage/usage-store.ts';
import { checkPlaceable } from './placeable-value.ts';
import { applySecretInput, BLANK_DEFINITION } from './secret-definition.ts';
import type { SecretInput } from './secret-input.ts';
import { parseSecretName } from './secret-name.ts';
import type { SecretPage } from './secret-page.ts';
import type {
  SecretBindingRow,
  SecretFilter,
  SecretRow,
  SecretStore,
  SecretUsage,
  VersionRow,
} from './secret-store.ts';
import type { Secret, SealedVersion, SecretDefinition } from './secret.ts';
import type { ValueSealer } from './value-sealer.ts';
import { decideWidening } from './widening.ts';

export interface SecretServiceDeps {
  readonly store: SecretStore;
  readonly organizations: Pick<OrganizationStore, 'readWorkspace'>;
  readonly audit: Pick<AuditStore, 'listSecretAudit'>;
  readonly usage: Pick<UsageBook, 'pendingOf'>;
  readonly catalogue: ProviderCatalogue;
  readonly sealer: ValueSealer;
  readonly changes: PolicyChanges;
  readonly clock: Clock;
  readonly logger: Logger;
  /** `secrets.allow_widening`. */
  readonly allowWidening: boolean;
}

/** How often a write is computed anew after somebody else was faster. */
const ATTEMPTS_MAX = 20;
const PAGE_ROWS = 500;

export class SecretService {
  readonly #deps: SecretServiceDeps;

  constructor(deps: SecretServiceDeps) {
    this.#deps = deps;
  }

  /** ControlError `bad_request`, `value_not_placeable`, `conflict` (the name is taken), `forbidden`. */
  async create(actor: Actor, name: string, input: SecretInput): Promise<SecretRow> {
    checkRole(actor, 'administer');
    const secretName = parseSecretName(name);
    if (input.value === undefined) throw fieldError('value', 'must be given');
    if (input.provider === undefined && (input.auth === undefined || input.hosts === undefined)) {
      throw fieldError('provider', 'must be given, or auth together with hosts');
    }
    const resolved = await this.#resolveWorkspaces(actor, input);
    const definition = applySecretInput(BLANK_DEFINITION, resolved, this.#deps.catalogue);
    checkPlaceable(input.value, definition.auth);
    const nowMs = this.#deps.clock.nowMs();
    const identity = { organizationId: actor.organizationId, secretId: mintId() };
    const version = this.#sealVersion(actor, identity, 1, input.value);
    const secret: Secret = {
      ...definition,
      id: identity.secretId,
      organizationId: actor.organizationId,
      name: secretName,
      version: 1,
      activeVersionId: version.id,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      rotatedAtMs: nowMs,
      createdBy: actor.subject,
      updatedBy: actor.subject,
      revision: 1,
    };
    await this.#deps.store.insertSecret(secret, version);
    return { secret, usage: { lastUsedAtMs: null, lastAnsweredAtMs: null } };
  }

  /** ControlError `not_found`, also for what the key may not see. */
  async read(actor: Actor, name: string): Promise<SecretRow> {
    checkRole(actor, 'read');
    const row = await this.#deps.store.readSecret(actor.organizationId, parseSecretName(name));
    if (row === undefined || !isSecretInReach(actor, row.secret.id)) {
      throw new ControlError('not_found', { message: `There is no secret named ${name}.` });
    }
    return { secret: row.secret, usage: this.#currentUsage(row) };
  }

  /** Newest first. With `filter.limit`, `next` tells where the following page begins. */
  async list(actor: Actor, filter: SecretFilter): Promise<SecretPage> {
    checkRole(actor, 'read');
    const { limit, unusedSinceMs } = filter;
    const asked = limit === undefined ? filter : { ...filter, limit: limit + 1 };
    const found = await this.#deps.store.listSecrets(actor.organizationId, asked);
    const page = limit === undefined ? found : found.slice(0, limit);
    const last = found.length > page.length ? page.at(-1)?.secret : undefined;
    const rows = page
      .filter((row) => isSecretInReach(actor, row.secret.id))
      .map((row) => ({ secret: row.secret, usage: this.#currentUsage(row) }))
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
    const resolved = await this.#resolveWorkspaces(actor, input);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const before = await this.read(actor, name);
      const change = this.#decideChange(actor, before.secret, resolved);
      if (await this.#deps.store.updateSecret(change.secret, change.version)) {
        await this.#announce(change.secret);
        return { secret: change.secret, usage: before.usage };
      }
    }
    throw new ControlError('conflict', { message: 'Others keep changing this secret; try again.' });
  }

  /** The name is free at once; the history stays. */
  async delete(actor: Actor, name: string): Promise<void> {
    checkRole(actor, 'administer');
    const { secret } = await this.read(actor, name);
    const { store, clock } = this.#deps;
    const isDeleted = await store.deleteSecret(actor.organizationId, secret.id, clock.nowMs());
    if (!isDeleted) throw new ControlError('not_found');
    await this.#announce(secret);
  }

  async listVersions(actor: Actor, name: string): Promise<readonly VersionRow[]> {
    const { secret } = await this.read(actor, name);
    return this.#deps.store.listVersions(actor.organizationId, secret.id);
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

  #decideChange(
    actor: Actor,
    before: Secret,
    input: SecretInput,
  ): { secret: Secret; version: SealedVersion | null } {
    const definition = applySecretInput(before, input, this.#deps.catalogue);
    if (input.value === undefined) this.#checkWidening(before, definition);
    else checkPlaceable(input.value, definition.auth);
    const nowMs = this.#deps.clock.nowMs();
    const identity = { organizationId: before.organizationId, secretId: before.id };
    const version =
      input.value === undefined
        ? null
        : this.#sealVersion(actor, identity, before.version + 1, input.value);
    const secret: Secret = {
      ...before,
      ...definition,
      version: version?.version ?? before.version,
      activeVersionId: version?.id ?? before.activeVersionId,
      rotatedAtMs: version === null ? before.rotatedAtMs : nowMs,
      // Never earlier than before, so that a clock set back does not hide a change.
      updatedAtMs: Math.max(nowMs, before.updatedAtMs),
      updatedBy: actor.subject,
      revision: before.revision + 1,
    };
    return { secret, version };
  }

  #checkWidening(before: Secret, after: SecretDefinition): void {
    const widened = decideWidening(before, after);
    if (widened.length === 0) return;
    if (this.#deps.allowWidening) {
      this.#deps.logger.warn(
        { secretId: before.id, widened },
        'a secret was widened without its value, as secrets.allow_widening permits',
      );
      return;
    }
    throw new ControlError('value_required', {
      details: widened.map((path) => ({ path, message: 'lets the existing value travel further' })),
    });
  }

  /** Names become ids. For `ALL` and `NONE` a list is neither checked nor kept. */
  async #resolveWorkspaces(actor: Actor, input: SecretInput): Promise<SecretInput> {
    const { allowedWorkspaces: named, allowedWorkspacesType: type } = input;
    if (named === undefined || (type !== undefined && type !== 'SOME')) return input;
    const ids: string[] = [];
    for (const [index, name] of named.entries()) {
      const { organizations } = this.#deps;
      const workspace = await organizations.readWorkspace(actor.organizationId, name.trim());
      if (workspace === undefined) {
        throw fieldError(`allowed_workspaces[${index}]`, `there is no workspace ${name.trim()}`);
      }
      ids.push(workspace.id);
    }
    return { ...input, allowedWorkspaces: [...new Set(ids)] };
  }

  #sealVersion(
    actor: Actor,
    identity: { readonly organizationId: string; readonly secretId: string },
    number: number,
    value: Hidden,
  ): SealedVersion {
    const id = mintId();
    return {
      ...identity,
      id,
      version: number,
      sealed: this.#deps.sealer.sealValue({ ...identity, versionId: id }, value),
      createdAtMs: this.#deps.clock.nowMs(),
      createdBy: actor.subject,
    };
  }

  #currentUsage(row: SecretRow): SecretUsage {
    const pending = this.#deps.usage.pendingOf(row.secret.id);
    return {
      lastUsedAtMs: later(row.usage.lastUsedAtMs, pending.lastUsedAtMs),
      lastAnsweredAtMs: later(row.usage.lastAnsweredAtMs, pending.lastAnsweredAtMs),
    };
  }

  #announce(secret: Secret): Promise<void> {
    const { organizationId, id: secretId } = secret;
    return this.#deps.changes.announce({ kind: 'secret', organizationId, secretId });
  }
}

function later(one: number | null, other: number | null): number | null {
  return one === null ? other : Math.max(one, other ?? one);
}
