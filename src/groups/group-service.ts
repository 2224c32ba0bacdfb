/**
 * Groups of secrets as the control plane changes them. A group and its secrets are written in one
 * transaction, all or nothing; a change is in force when its promise resolves. Secrets in no group are
 * the built-in group `default`, which everybody sees and nobody writes.
 */
import type { DeedRecorder } from '../activity/activity-journal.ts';
import type { Deed } from '../activity/activity.ts';
import { showChange, showGroup } from '../activity/shown-fields.ts';
import type { Clock } from '../kernel/clock.ts';
import { ControlError } from '../kernel/errors.ts';
import { fieldError } from '../kernel/field-error.ts';
import { mintId } from '../kernel/ids.ts';
import type { Actor } from '../organizations/actor.ts';
import { checkRole } from '../organizations/roles.ts';
import type { PolicyChanges } from '../policy/policy-feed.ts';
import { changeDeed, creationDeed, deletionDeed } from '../secrets/secret-deed.ts';
import {
  type DraftedChange,
  SecretDrafter,
  type SecretDrafterDeps,
} from '../secrets/secret-drafter.ts';
import { DEFAULT_GROUP, groupedName, splitName } from '../secrets/secret-reference.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import type { ValueReader } from '../secrets/value-reader.ts';
import type { VersionRetention } from '../secrets/version-retention.ts';
import {
  checkGroupRole,
  checkWholeReach,
  decideGroupRole,
  isOrganizationAdmin,
} from './group-access.ts';
import {
  builtIn,
  checkGroupName,
  checkKeys,
  checkManifest,
  type GroupInput,
  type KeyInput,
} from './group-input.ts';
import type { ChangedSecret, GroupStore, Member, NewSecret } from './group-store.ts';
import type { GroupManifest, GroupRole, SecretGroup } from './secret-group.ts';

export interface GroupServiceDeps extends SecretDrafterDeps {
  readonly store: GroupStore;
  readonly secrets: Pick<SecretStore, 'readVersion' | 'deleteSecret'>;
  readonly retention: VersionRetention;
  readonly values: Pick<ValueReader, 'isSameValue'>;
  readonly changes: PolicyChanges;
  readonly activity: DeedRecorder;
  readonly clock: Clock;
}

/** How often a write is computed anew after somebody else was faster. */
const ATTEMPTS_MAX = 5;

export class GroupService {
  readonly #deps: GroupServiceDeps;
  readonly #drafter: SecretDrafter;

  constructor(deps: GroupServiceDeps) {
    this.#deps = deps;
    this.#drafter = new SecretDrafter(deps);
  }

  /** ControlError `conflict` (the name is taken), `bad_request`, `forbidden`. */
  async create(actor: Actor, input: GroupInput): Promise<SecretGroup> {
    checkRole(actor, 'administer');
    checkWholeReach(actor);
    checkGroupName(input.name, 'name');
    checkKeys(input.secrets);
    const group = this.#newGroup(actor, input.name, input.integrationId, null);
    const inserted: NewSecret[] = [];
    for (const [index, { key, input: said }] of input.secrets.entries()) {
      inserted.push(await inField(index, () => this.#draftNew(actor, group, key, said)));
    }
    await this.#deps.store.insertGroup(group, inserted);
    const made = inserted.map(({ secret }) => creationDeed(secret));
    const insertedIds = inserted.map(({ secret }) => secret.id);
    await Promise.all([
      this.#announce(actor, insertedIds),
      this.#deps.activity.recordDone(actor, groupDeed(null, group), ...made),
    ]);
    return group;
  }

  /** Upsert by name. `isDryRun`: nothing is written. ControlError as `create`. */
  async putManifest(
    actor: Actor,
    manifest: GroupManifest,
    isDryRun: boolean,
  ): Promise<SecretGroup> {
    checkManifest(manifest);
    const { store, clock, activity } = this.#deps;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const before = await store.readGroupByName(actor.organizationId, manifest.name);
      // A group one may not see answers like one that is not there.
      if (before === undefined || decideGroupRole(actor, before) === null) {
        checkRole(actor, 'administer');
        const group = this.#newGroup(actor, manifest.name, null, manifest);
        if (isDryRun) return group;
        await store.insertGroup(group, []);
        await activity.recordDone(actor, groupDeed(null, group));
        return group;
      }
      checkGroupRole(actor, before, 'secret-group-admin');
      const nowMs = clock.nowMs();
      const group: SecretGroup = {
        ...before,
        manifest,
        updatedAtMs: Math.max(nowMs, before.updatedAtMs),
        revision: before.revision + 1,
      };
      const unchanged = { inserted: [], updated: [], deletedIds: [], atMs: nowMs };
      if (isDryRun) return group;
      if (!(await store.writeGroup({ group, ...unchanged }))) continue;
      await activity.recordDone(actor, groupDeed(before, group));
      return group;
    }
    throw contended();
  }

  /** ControlError `not_found`, `conflict` for the built-in group. */
  async read(
    actor: Actor,
    id: string,
    needed: GroupRole = 'secret-group-viewer',
  ): Promise<SecretGroup> {
    if (id === DEFAULT_GROUP) throw builtIn();
    const group = await this.#deps.store.readGroup(actor.organizationId, id);
    if (group === undefined) {
      throw new ControlError('not_found', { message: 'There is no such group.' });
    }
    checkGroupRole(actor, group, needed);
    return group;
  }

  /** The full set of keys: what is left out is deleted, what comes without value keeps its own. */
  async writeSecrets(actor: Actor, id: string, said: readonly KeyInput[]): Promise<SecretGroup> {
    checkKeys(said);
    const { store, clock } = this.#deps;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const before = await this.read(actor, id, 'secret-group-editor');
      checkWholeReach(actor);
      const members = await store.listMembers(actor.organizationId, { groupIds: [id] });
      const byKey = new Map(members.rows.map((member) => [keyOf(member), member]));
      const inserted: NewSecret[] = [];
      const updated: ChangedSecret[] = [];
      const deeds: Deed[] = [];
      for (const [index, { key, input }] of said.entries()) {
        const member = byKey.get(key);
        byKey.delete(key);
        if (member === undefined) {
          const made = await inField(index, () => this.#draftNew(actor, before, key, input));
          inserted.push(made);
          deeds.push(creationDeed(made.secret));
          continue;
        }
        const change = await inField(index, () => this.#draftChange(actor, member, { key, input }));
        if (change === null) continue;
        updated.push({ secret: change.secret, version: change.version });
        deeds.push(changeDeed(member.secret, change));
      }
      const atMs = clock.nowMs();
      const group: SecretGroup = {
        ...before,
        updatedAtMs: Math.max(atMs, before.updatedAtMs),
        revision: before.revision + 1,
      };
      const deletedIds = [...byKey.values()].map(({ secret }) => secret.id);
      if (!(await store.writeGroup({ group, inserted, updated, deletedIds, atMs }))) continue;
      const insertedIds = inserted.map(({ secret }) => secret.id);
      const changedIds = updated.map(({ secret }) => secret.id);
      deeds.push(...[...byKey.values()].map(({ secret }) => deletionDeed(secret)));
      await Promise.all([
        this.#announce(actor, [...insertedIds, ...changedIds, ...deletedIds]),
        this.#deps.activity.recordDone(actor, groupDeed(before, group), ...deeds),
      ]);
      for (const { secret, version } of updated) {
        if (version !== null) await this.#deps.retention.apply(actor.organizationId, secret.id);
      }
      return group;
    }
    throw contended();
  }

  /** With its secrets. */
  async delete(actor: Actor, id: string): Promise<void> {
    const group = await this.read(actor, id, 'secret-group-admin');
    checkWholeReach(actor);
    const { store, clock, activity } = this.#deps;
    const members = await store.listMembers(actor.organizationId, { groupIds: [id] });
    const gone = await store.deleteGroup(actor.organizationId, id, clock.nowMs());
    if (gone === undefined) throw new ControlError('not_found');
    const deleted = members.rows.filter(({ secret }) => gone.includes(secret.id));
    const deeds = deleted.map(({ secret }) => deletionDeed(secret));
    await Promise.all([
      this.#announce(actor, gone),
      activity.recordDone(actor, groupDeed(group, null), ...deeds),
    ]);
  }

  /** One secret of a group; how many were deleted, all versions counted as one secret. */
  async deleteMember(actor: Actor, member: Member): Promise<number> {
    if (member.groupId === null) {
      if (!isOrganizationAdmin(actor)) checkRole(actor, 'administer');
      throw builtIn();
    }
    await this.read(actor, member.groupId, 'secret-group-editor');
    const { secrets, clock } = this.#deps;
    const { id } = member.secret;
    if (!(await secrets.deleteSecret(actor.organizationId, id, clock.nowMs()))) {
      throw new ControlError('not_found');
    }
    await Promise.all([
      this.#announce(actor, [id]),
      this.#deps.activity.recordDone(actor, deletionDeed(member.secret)),
    ]);
    return 1;
  }

  #newGroup(
    actor: Actor,
    name: string,
    integrationId: string | null,
    manifest: GroupManifest | null,
  ): SecretGroup {
    const nowMs = this.#deps.clock.nowMs();
    return {
      id: mintId(),
      organizationId: actor.organizationId,
      name,
      integrationId,
      manifest,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      createdBy: actor.subject,
      revision: 1,
    };
  }

  #draftNew(
    actor: Actor,
    group: SecretGroup,
    key: string,
    input: KeyInput['input'],
  ): Promise<NewSecret> {
    return this.#drafter.draftNew(actor, groupedName(group.name, key), input);
  }

  /** `null`: as it was. */
  async #draftChange(
    actor: Actor,
    { secret, versions }: Member,
    { input }: KeyInput,
  ): Promise<DraftedChange | null> {
    const isSame = await this.#isActiveValue(secret.id, versions, actor, input);
    const says = Object.entries(input).some(
      ([field, value]) => value !== undefined && !(field === 'value' && isSame),
    );
    return says ? this.#drafter.draftChange(actor, secret, input, isSame) : null;
  }

  async #isActiveValue(
    secretId: string,
    versions: Member['versions'],
    actor: Actor,
    { value }: KeyInput['input'],
  ): Promise<boolean> {
    const active = versions.find((version) => version.active);
    if (value === undefined || active === undefined) return false;
    const { secrets, values } = this.#deps;
    const stored = await secrets.readVersion(actor.organizationId, secretId, active.version);
    return stored !== undefined && values.isSameValue(stored, value);
  }

  async #announce(actor: Actor, secretIds: readonly string[]): Promise<void> {
    const { organizationId } = actor;
    for (const secretId of secretIds) {
      await this.#deps.changes.announce({ kind: 'secret', organizationId, secretId });
    }
  }
}

function keyOf(member: Member): string {
  return splitName(member.secret.name).key;
}

/** Says which element of `secrets` a fault is about. */
async function inField<T>(index: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const [fault] = error instanceof ControlError ? error.details : [];
    if (!(error instanceof ControlError) || fault === undefined) throw error;
    throw fieldError(`secrets[${index}].${fault.path}`, fault.message, error.code);
  }
}

function groupDeed(before: SecretGroup | null, after: SecretGroup | null): Deed {
  const group = after ?? before;
  const target = { targetId: group?.id ?? '', targetName: group?.name ?? '' };
  if (before !== null && after !== null) {
    return {
      action: 'group.update',
      ...target,
      ...showChange(showGroup(before), showGroup(after)),
    };
  }
  return {
    action: after === null ? 'group.delete' : 'group.create',
    ...target,
    before: before && showGroup(before),
    after: after && showGroup(after),
  };
}

function contended(): ControlError {
  return new ControlError('conflict', { message: 'Others keep changing this group; try again.' });
}
