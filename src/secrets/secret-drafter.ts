/**
 * From what an admin said to what is stored: a new secret with its first version, or a changed one with a
 * version when a value came along. Seals values, holds the widening rule; stores and announces nothing.
 */
import type { Clock } from '../kernel/clock.ts';
import { ControlError } from '../kernel/errors.ts';
import { fieldError } from '../kernel/field-error.ts';
import type { Hidden } from '../kernel/hidden.ts';
import { mintId } from '../kernel/ids.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Actor } from '../organizations/actor.ts';
import type { OrganizationStore } from '../organizations/organization-store.ts';
import { isWorkspaceInReach } from '../organizations/roles.ts';
import type { HostPattern } from '../policy/host-pattern.ts';
import type { ProviderCatalogue } from '../providers/catalogue.ts';
import { checkInterceptable } from './never-intercepted.ts';
import { checkPlaceable } from './placeable-value.ts';
import { applySecretInput, BLANK_DEFINITION } from './secret-definition.ts';
import type { SecretInput } from './secret-input.ts';
import type { SecretStore } from './secret-store.ts';
import type { SealedVersion, Secret, VersionOverlap } from './secret.ts';
import type { ValueSealer } from './value-sealer.ts';
import { decideWidening } from './widening.ts';

export interface SecretDrafterDeps {
  readonly organizations: Pick<OrganizationStore, 'readWorkspace'>;
  readonly catalogue: ProviderCatalogue;
  readonly sealer: ValueSealer;
  readonly clock: Clock;
  readonly logger: Logger;
  /** `secrets.allow_widening`. */
  readonly allowWidening: boolean;
  /** `egress.never_intercept`: what is bound is not pointed there. */
  readonly neverIntercept: readonly HostPattern[];
  readonly bindings: Pick<SecretStore, 'listBindingsOfSecret'>;
}

export interface DraftedChange {
  readonly secret: Secret;
  readonly version: SealedVersion | null;
  /** Fields widened without the value, as `secrets.allow_widening` permits. */
  readonly widened: readonly string[];
}

export class SecretDrafter {
  readonly #deps: SecretDrafterDeps;

  constructor(deps: SecretDrafterDeps) {
    this.#deps = deps;
  }

  /** `name` was checked by the caller. ControlError `bad_request`, `value_not_placeable`. */
  async draftNew(
    actor: Actor,
    name: string,
    input: SecretInput,
  ): Promise<{ secret: Secret; version: SealedVersion }> {
    if (input.value === undefined) throw fieldError('value', 'must be given');
    const resolved = await this.#resolveWorkspaces(actor, input, BLANK_DEFINITION);
    const definition = applySecretInput(BLANK_DEFINITION, resolved, this.#deps.catalogue);
    checkPlaceable(input.value, definition.auth);
    const nowMs = this.#deps.clock.nowMs();
    const identity = { organizationId: actor.organizationId, secretId: mintId() };
    const version = this.#sealVersion(actor, identity, 1, input.value);
    const secret: Secret = {
      ...definition,
      id: identity.secretId,
      organizationId: actor.organizationId,
      name,
      version: 1,
      activeVersionId: version.id,
      oldestUsableVersion: 1,
      highestVersion: 1,
      rotation: 1,
      overlap: null,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      rotatedAtMs: nowMs,
      createdBy: actor.subject,
      updatedBy: actor.subject,
      revision: 1,
    };
    return { secret, version };
  }

  /**
   * `isSameValue`: the value given is the one that is active; it proves that the caller has it, and makes no
   * version. ControlError `bad_request`, `value_required`, `value_not_placeable`.
   */
  async draftChange(
    actor: Actor,
    before: Secret,
    input: SecretInput,
    isSameValue = false,
  ): Promise<DraftedChange> {
    const resolved = await this.#resolveWorkspaces(actor, input, before);
    const definition = applySecretInput(before, resolved, this.#deps.catalogue);
    await this.#checkBoundHosts(before, definition.hosts);
    const widened = decideWidening(before, definition);
    if (input.value === undefined) this.#checkWidening(before, widened);
    else checkPlaceable(input.value, definition.auth);
    const nowMs = this.#deps.clock.nowMs();
    const identity = { organizationId: before.organizationId, secretId: before.id };
    checkOverlap(input, widened.length > 0, definition.disabled);
    // The value given speaks for itself alone: no other version may travel further with it.
    const isCutOff = widened.length > 0 && !this.#deps.allowWidening;
    // After a rollback there are versions above the active one, and the cut goes by number.
    const isEnough = isSameValue && !(isCutOff && before.version < before.highestVersion);
    const version =
      input.value === undefined || isEnough
        ? null
        : this.#sealVersion(actor, identity, before.highestVersion + 1, input.value);
    const number = version?.version ?? before.version;
    const secret: Secret = {
      ...before,
      ...definition,
      version: number,
      activeVersionId: version?.id ?? before.activeVersionId,
      highestVersion: version?.version ?? before.highestVersion,
      rotation: version === null ? before.rotation : before.rotation + 1,
      overlap:
        widened.length > 0 || definition.disabled
          ? null
          : overlapAfter(before, version, input.overlapSeconds, nowMs),
      oldestUsableVersion: isCutOff ? number : before.oldestUsableVersion,
      rotatedAtMs: version === null ? before.rotatedAtMs : nowMs,
      // Never earlier than before, so that a clock set back does not hide a change.
      updatedAtMs: Math.max(nowMs, before.updatedAtMs),
      updatedBy: actor.subject,
      revision: before.revision + 1,
    };
    return { secret, version, widened: input.value === undefined ? widened : [] };
  }

  async #checkBoundHosts(before: Secret, hosts: readonly string[]): Promise<void> {
    const { neverIntercept, bindings } = this.#deps;
    const added = hosts.filter((host) => !before.hosts.includes(host));
    if (added.length === 0 || neverIntercept.length === 0) return;
    const bound = await bindings.listBindingsOfSecret(before.organizationId, before.id);
    if (bound.length > 0) checkInterceptable(added, neverIntercept, 'hosts');
  }

  #checkWidening(before: Secret, widened: readonly string[]): void {
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

  /**
   * Names become ids. For `ALL` and `NONE` a list is neither checked nor kept. What a narrowed key does not
   * reach is not there, unless it was in the list before.
   */
  async #resolveWorkspaces(
    actor: Actor,
    input: SecretInput,
    before: Pick<Secret, 'allowedWorkspacesType' | 'allowedWorkspaces'>,
  ): Promise<SecretInput> {
    const { allowedWorkspaces: named, allowedWorkspacesType: type = before.allowedWorkspacesType } =
      input;
    if (named === undefined || type !== 'SOME') return input;
    const ids: string[] = [];
    for (const [index, name] of named.entries()) {
      const { organizations } = this.#deps;
      const workspace = await organizations.readWorkspace(actor.organizationId, name.trim());
      const isSeen =
        workspace !== undefined &&
        (isWorkspaceInReach(actor, workspace.id) ||
          before.allowedWorkspaces.includes(workspace.id));
      if (!isSeen) {
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
}

/** ControlError `bad_request`. */
function checkOverlap(
  { value, overlapSeconds }: SecretInput,
  isWidening: boolean,
  isDisabled: boolean,
): void {
  if (overlapSeconds === undefined) return;
  if (overlapSeconds > 0) {
    const wrong = [
      value === undefined && 'belongs to a rotation, so it must come with a value',
      isWidening && 'is not possible in a change that widens: the value before may not go there',
      isDisabled && 'is not possible while the secret is disabled',
    ].find((reason) => reason !== false);
    if (wrong !== undefined) throw fieldError('overlap_seconds', wrong);
  }
  const max = FIXED.rotationOverlapSecondsMax;
  if (overlapSeconds < 0 || overlapSeconds > max) {
    throw fieldError('overlap_seconds', `must be from 0 to ${max}`);
  }
}

/** Each rotation speaks for itself: one that asks for no overlap ends that of the one before. */
function overlapAfter(
  before: Secret,
  version: SealedVersion | null,
  overlapSeconds: number | undefined,
  nowMs: number,
): VersionOverlap | null {
  if (version === null) return overlapSeconds === 0 ? null : before.overlap;
  if (overlapSeconds === undefined || overlapSeconds === 0) return null;
  return {
    versionId: before.activeVersionId,
    version: before.version,
    endsAtMs: nowMs + overlapSeconds * 1_000,
  };
}
