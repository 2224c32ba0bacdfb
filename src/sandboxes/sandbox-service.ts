/**
 * Sandboxes as the control plane changes them: create, change, pause, resume, delete, and their tokens.
 * Tokens are shown once and stored as hashes. A change is in force when its promise resolves. Bindings
 * are the business of `BindingService`.
 */
import type { DeedRecorder } from '../activity/activity-journal.ts';
import type { ActivityAction } from '../activity/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { ControlError } from '../kernel/errors.ts';
import { hashToken, mintToken } from '../kernel/ids.ts';
import type { Actor } from '../organizations/actor.ts';
import type { OrganizationStore } from '../organizations/organization-store.ts';
import { checkRole, isSecretInReach, isWorkspaceInReach } from '../organizations/roles.ts';
import type { PolicyChange, PolicyChanges } from '../policy/policy-feed.ts';
import { checkAllMode, type AllMode } from './all-mode.ts';
import { sandboxDeed } from './sandbox-deed.ts';
import { SandboxDrafter } from './sandbox-drafter.ts';
import type { SandboxChange, SandboxInput } from './sandbox-input.ts';
import { autoDeletion, pauseAt } from './sandbox-pause.ts';
import {
  checkEnvVars,
  checkMetadata,
  parseNetwork,
  parseSandboxName,
  withLimits,
} from './sandbox-rules.ts';
import type { BindingRow, SandboxFilter, SandboxRow, SandboxStore } from './sandbox-store.ts';
import type { Sandbox, SandboxToken } from './sandbox.ts';
import type { SecretBinder } from './secret-binding.ts';

export interface SandboxServiceDeps {
  readonly store: SandboxStore;
  readonly organizations: Pick<OrganizationStore, 'listWorkspaces' | 'readWorkspace'>;
  readonly binder: SecretBinder;
  readonly allMode: Pick<AllMode, 'warningsFor'>;
  readonly changes: PolicyChanges;
  readonly activity: DeedRecorder;
  readonly clock: Clock;
}

export interface CreatedSandbox {
  readonly row: SandboxRow;
  /** In clear, this once. */
  readonly token: string;
  readonly warnings: readonly string[];
}

const ATTEMPTS_MAX = 20;

export class SandboxService {
  readonly #deps: SandboxServiceDeps;
  readonly #drafter: SandboxDrafter;

  constructor(deps: SandboxServiceDeps) {
    this.#deps = deps;
    this.#drafter = new SandboxDrafter(deps);
  }

  /** ControlError `bad_request`, `secret_not_found`, `forbidden`. All or nothing. */
  async create(actor: Actor, input: SandboxInput): Promise<CreatedSandbox> {
    checkRole(actor, 'operate');
    const { sandbox, bound } = await this.#drafter.draft(actor, input);
    const ignored = checkEnvVars(sandbox.envVars, new Set(Object.keys(input.secrets ?? {})));
    const { allMode } = this.#deps;
    const ambiguities =
      sandbox.secretsMode === 'all'
        ? await allMode.warningsFor(sandbox.organizationId, sandbox.workspaceId)
        : [];
    const { token, stored } = this.#mintToken(sandbox);
    const bindings = bound.map(({ binding }) => binding);
    await this.#deps.store.insertSandbox(sandbox, bindings, stored);
    const named = Object.fromEntries(bound.map((row) => [row.binding.envKey, row.secretName]));
    const deed = sandboxDeed('sandbox.create', null, sandbox, { secrets: named });
    await this.#deps.activity.recordDone(actor, deed);
    // Nobody can have asked for it before, but who is identified by source has changed.
    if (sandbox.sourceCidrs.length > 0) {
      await this.#announce('sandbox', sandbox.organizationId, sandbox.id);
    }
    return {
      row: { sandbox, bindings: bound },
      token,
      warnings: [
        ...ignored.map((key) => `env_vars.${key} is set by Sallyport; yours has no effect`),
        ...ambiguities,
      ],
    };
  }

  /** ControlError `not_found`, also for what the key may not see. */
  async read(actor: Actor, id: string): Promise<SandboxRow> {
    checkRole(actor, 'read');
    const row = await this.#deps.store.readSandbox(actor.organizationId, id);
    if (row === undefined || !isWorkspaceInReach(actor, row.sandbox.workspaceId)) {
      throw new ControlError('not_found', { message: 'There is no sandbox with that id.' });
    }
    return row;
  }

  /** Newest first. */
  async list(actor: Actor, filter: SandboxFilter): Promise<readonly SandboxRow[]> {
    checkRole(actor, 'read');
    const { organizationId, workspaceIds } = actor;
    // By the store, so that `limit` and `offset` count what the key may see.
    if (workspaceIds?.length === 0) return [];
    const seen = workspaceIds === null ? filter : { ...filter, workspaceIds };
    return this.#deps.store.listSandboxes(organizationId, seen);
  }

  async update(actor: Actor, id: string, change: SandboxChange): Promise<SandboxRow> {
    checkRole(actor, 'operate');
    if (change.metadata !== undefined) checkMetadata(change.metadata);
    const network = change.network === undefined ? undefined : parseNetwork(change.network);
    const name = change.name === undefined ? undefined : parseSandboxName(change.name);
    return this.#change(actor, id, 'sandbox.update', (before, nowMs) => {
      if (network !== undefined && before.status === 'paused') {
        throw new ControlError('conflict', { message: 'network cannot change while paused' });
      }
      const { timeoutSeconds, autoDeleteSeconds } = change;
      const isRearmed = typeof timeoutSeconds === 'number';
      return {
        name: name ?? before.name,
        metadata: change.metadata ?? before.metadata,
        network: network ?? before.network,
        timeoutSeconds: timeoutSeconds === undefined ? before.timeoutSeconds : timeoutSeconds,
        armedAtMs: isRearmed ? nowMs : before.armedAtMs,
        limits: withLimits(before.limits, change.limits),
        ...(autoDeleteSeconds === undefined
          ? {}
          : autoDeletion(before.status, autoDeleteSeconds, nowMs)),
      };
    });
  }

  /** ControlError `conflict` when it is paused already. */
  async pause(actor: Actor, id: string): Promise<SandboxRow> {
    return this.#change(actor, id, 'sandbox.pause', (before, nowMs) => {
      if (before.status === 'paused') {
        throw new ControlError('conflict', { message: 'The sandbox is paused already.' });
      }
      return pauseAt(before, nowMs);
    });
  }

  /** Idempotent; re-arms the timeout of a paused one. */
  async resume(actor: Actor, id: string): Promise<SandboxRow> {
    checkRole(actor, 'operate');
    const row = await this.read(actor, id);
    if (row.sandbox.status === 'active') return row;
    return this.#change(actor, id, 'sandbox.resume', (_before, nowMs) => ({
      status: 'active',
      pausedAtMs: null,
      autoDeleteAtMs: null,
      armedAtMs: nowMs,
    }));
  }

  /** Its tokens, connections and placeholders end at once. */
  async delete(actor: Actor, id: string): Promise<void> {
    checkRole(actor, 'operate');
    const { sandbox } = await this.read(actor, id);
    const isDeleted = await this.#deps.store.deleteSandbox(actor.organizationId, id);
    if (!isDeleted) throw new ControlError('not_found');
    await Promise.all([
      this.#announce('sandbox', actor.organizationId, id),
      this.#deps.activity.recordDone(actor, sandboxDeed('sandbox.delete', sandbox, null)),
    ]);
  }

  /** A new token; the others end at once or `overlapSeconds` from now. */
  async replaceToken(actor: Actor, id: string, overlapSeconds: number): Promise<string> {
    checkRole(actor, 'operate');
    const { sandbox, bindings } = await this.read(actor, id);
    if (sandbox.secretsMode === 'all') checkAllMode(actor);
    checkBoundReach(actor, bindings);
    const { token, stored } = this.#mintToken(sandbox);
    await this.#deps.store.replaceToken(stored, stored.createdAtMs + overlapSeconds * 1_000);
    const said = { overlap_seconds: overlapSeconds };
    await Promise.all([
      this.#announce('token', sandbox.organizationId, id),
      this.#deps.activity.recordDone(actor, sandboxDeed('sandbox.token', sandbox, sandbox, said)),
    ]);
    return token;
  }

  /** Closes what the sandbox has open; it may connect again. */
  async disconnect(actor: Actor, id: string): Promise<void> {
    checkRole(actor, 'operate');
    const { sandbox } = await this.read(actor, id);
    await Promise.all([
      this.#announce('disconnect', sandbox.organizationId, id),
      this.#deps.activity.recordDone(actor, sandboxDeed('sandbox.disconnect', sandbox, sandbox)),
    ]);
  }

  async #change(
    actor: Actor,
    id: string,
    action: ActivityAction,
    decide: (before: Sandbox, nowMs: number) => Partial<Sandbox>,
  ): Promise<SandboxRow> {
    checkRole(actor, 'operate');
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const { sandbox: before, bindings } = await this.read(actor, id);
      const nowMs = this.#deps.clock.nowMs();
      const revision = before.revision + 1;
      const sandbox = { ...before, ...decide(before, nowMs), updatedAtMs: nowMs, revision };
      if (await this.#deps.store.updateSandbox(sandbox)) {
        await Promise.all([
          this.#announce('sandbox', sandbox.organizationId, id),
          this.#deps.activity.recordDone(actor, sandboxDeed(action, before, sandbox)),
        ]);
        return { sandbox, bindings };
      }
    }
    throw new ControlError('conflict', {
      message: 'Others keep changing this sandbox; try again.',
    });
  }

  #mintToken(sandbox: Sandbox): { token: string; stored: SandboxToken } {
    const token = mintToken('sp_box_');
    const stored: SandboxToken = {
      sandboxId: sandbox.id,
      organizationId: sandbox.organizationId,
      tokenHash: hashToken(token),
      createdAtMs: this.#deps.clock.nowMs(),
      validUntilMs: null,
    };
    return { token, stored };
  }

  #announce(
    kind: Exclude<PolicyChange['kind'], 'secret'>,
    organizationId: string,
    sandboxId: string,
  ): Promise<void> {
    return this.#deps.changes.announce({ kind, organizationId, sandboxId });
  }
}

/** Whoever hands out a token hands out the use of what is bound. ControlError `forbidden`. */
function checkBoundReach(actor: Actor, bindings: readonly BindingRow[]): void {
  if (bindings.every(({ binding }) => isSecretInReach(actor, binding.secretId))) return;
  throw new ControlError('forbidden', {
    message: 'This API key is narrowed to some secrets; the sandbox also uses others.',
  });
}
