/**
 * Organizations (by a root key) and the workspaces in one (by its admins). What is deleted loses what it
 * had open: the sandboxes of an organization end with it, and a workspace goes only when it is empty.
 */
import type { DeedRecorder } from '../activity/activity-journal.ts';
import type { ActivityAction } from '../activity/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { ControlError } from '../kernel/errors.ts';
import { fieldError } from '../kernel/field-error.ts';
import { mintId } from '../kernel/ids.ts';
import type { PolicyChanges } from '../policy/policy-feed.ts';
import type { Actor } from './actor.ts';
import { DEFAULT_NAME } from './bootstrap.ts';
import type { OrganizationStore } from './organization-store.ts';
import type { Organization, Workspace } from './organization.ts';
import { checkRole, isWorkspaceInReach } from './roles.ts';

export interface OrganizationServiceDeps {
  readonly store: OrganizationStore;
  readonly changes: PolicyChanges;
  readonly activity: DeedRecorder;
  readonly clock: Clock;
}

/** It stands between colons in references to secrets. */
const ORGANIZATION_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const WORKSPACE_NAME = /^[^\x00-\x1f\x7f]{1,128}$/;

export class OrganizationService {
  readonly #deps: OrganizationServiceDeps;

  constructor(deps: OrganizationServiceDeps) {
    this.#deps = deps;
  }

  /** With a workspace `default`. ControlError `forbidden`, `bad_request`, `conflict`. */
  async create(actor: Actor, text: string): Promise<Organization> {
    checkRole(actor, 'instance');
    const name = text.trim();
    if (!ORGANIZATION_NAME.test(name)) {
      throw fieldError(
        'name',
        'must have 1 to 128 letters, digits, . _ - and begin with a letter or digit',
      );
    }
    const organization = { id: mintId(), name, createdAtMs: this.#deps.clock.nowMs() };
    const first = newWorkspace(organization.id, DEFAULT_NAME, organization.createdAtMs);
    await this.#deps.store.insertOrganization(organization, first);
    await this.#record(actor, 'organization.create', organization);
    return organization;
  }

  async list(actor: Actor): Promise<readonly Organization[]> {
    checkRole(actor, 'instance');
    return this.#deps.store.listOrganizations();
  }

  /** With everything in it. ControlError `not_found`, or `conflict` for the one the key itself is of. */
  async delete(actor: Actor, idOrName: string): Promise<void> {
    checkRole(actor, 'instance');
    const { store, changes } = this.#deps;
    const organization = await store.readOrganization(idOrName);
    if (organization === undefined) throw new ControlError('not_found');
    const { id: organizationId } = organization;
    const keys = await store.listApiKeys(organizationId);
    if (keys.some((key) => key.id === actor.apiKeyId)) {
      throw new ControlError('conflict', {
        message: 'This API key belongs to that organization; use one of another.',
      });
    }
    const sandboxIds = await store.deleteOrganization(organizationId);
    if (sandboxIds === undefined) throw new ControlError('not_found');
    for (const sandboxId of sandboxIds) {
      await changes.announce({ kind: 'sandbox', organizationId, sandboxId });
    }
    await this.#record(actor, 'organization.delete', organization);
  }

  async createWorkspace(actor: Actor, text: string): Promise<Workspace> {
    checkRole(actor, 'administer');
    const name = text.trim();
    if (!WORKSPACE_NAME.test(name)) {
      throw fieldError('name', 'must have 1 to 128 characters, none of them a control character');
    }
    const workspace = newWorkspace(actor.organizationId, name, this.#deps.clock.nowMs());
    await this.#deps.store.insertWorkspace(workspace);
    await this.#record(actor, 'workspace.create', workspace);
    return workspace;
  }

  /** Those the key may see. */
  async listWorkspaces(actor: Actor): Promise<readonly Workspace[]> {
    checkRole(actor, 'read');
    const workspaces = await this.#deps.store.listWorkspaces(actor.organizationId);
    return workspaces.filter((workspace) => isWorkspaceInReach(actor, workspace.id));
  }

  /** By id or name; `undefined` also for what the key may not see. */
  async readWorkspace(actor: Actor, idOrName: string): Promise<Workspace | undefined> {
    checkRole(actor, 'read');
    const workspace = await this.#deps.store.readWorkspace(actor.organizationId, idOrName);
    return workspace && isWorkspaceInReach(actor, workspace.id) ? workspace : undefined;
  }

  /** ControlError `not_found`, or `conflict` while sandboxes are in it or when it is the last. */
  async deleteWorkspace(actor: Actor, idOrName: string): Promise<void> {
    checkRole(actor, 'administer');
    const workspace = await this.readWorkspace(actor, idOrName);
    if (workspace === undefined) throw new ControlError('not_found');
    if (!(await this.#deps.store.deleteWorkspace(actor.organizationId, workspace.id))) {
      throw new ControlError('not_found');
    }
    await this.#record(actor, 'workspace.delete', workspace);
  }

  #record(
    actor: Actor,
    action: ActivityAction,
    { id, name }: Organization | Workspace,
  ): Promise<void> {
    const isCreated = action.endsWith('.create');
    return this.#deps.activity.recordDone(actor, {
      action,
      targetId: id,
      targetName: name,
      before: isCreated ? null : { name },
      after: isCreated ? { name } : null,
    });
  }
}

function newWorkspace(organizationId: string, name: string, createdAtMs: number): Workspace {
  return { id: mintId(), organizationId, name, createdAtMs };
}
