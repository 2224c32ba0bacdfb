/**
 * A new sandbox as an admin described it: checked, its workspace and its secrets found, its bindings minted.
 * Stores nothing.
 */
import type { Clock } from '../kernel/clock.ts';
import { fieldError } from '../kernel/field-error.ts';
import { mintId } from '../kernel/ids.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Actor } from '../organizations/actor.ts';
import { DEFAULT_NAME } from '../organizations/bootstrap.ts';
import type { OrganizationStore } from '../organizations/organization-store.ts';
import { isWorkspaceInReach } from '../organizations/roles.ts';
import { checkAllMode } from './all-mode.ts';
import type { SandboxInput } from './sandbox-input.ts';
import {
  checkMetadata,
  checkSourceCidrs,
  NO_LIMITS,
  parseExpiry,
  parseNetwork,
  parseSandboxName,
  withLimits,
} from './sandbox-rules.ts';
import type { BindingRow } from './sandbox-store.ts';
import type { Sandbox } from './sandbox.ts';
import type { SecretBinder } from './secret-binding.ts';

export interface SandboxDrafterDeps {
  readonly organizations: Pick<OrganizationStore, 'listWorkspaces' | 'readWorkspace'>;
  readonly binder: SecretBinder;
  readonly clock: Clock;
}

export interface SandboxDraft {
  readonly sandbox: Sandbox;
  readonly bound: readonly BindingRow[];
}

export class SandboxDrafter {
  readonly #deps: SandboxDrafterDeps;

  constructor(deps: SandboxDrafterDeps) {
    this.#deps = deps;
  }

  /** ControlError `bad_request`, `secret_not_found`, `forbidden`. */
  async draft(actor: Actor, input: SandboxInput): Promise<SandboxDraft> {
    if (input.secretsMode === 'all') checkAllModeInput(actor, input);
    const workspaceId = await this.#workspaceId(actor, input.workspace);
    const sandbox = this.#newSandbox(actor, workspaceId, input);
    const bound = await this.#mintBindings(actor, sandbox, input.secrets ?? {});
    return { sandbox, bound };
  }

  #newSandbox(actor: Actor, workspaceId: string, input: SandboxInput): Sandbox {
    const nowMs = this.#deps.clock.nowMs();
    checkMetadata(input.metadata ?? {});
    return {
      id: mintId(),
      organizationId: actor.organizationId,
      workspaceId,
      name: parseSandboxName(input.name),
      description: input.description ?? null,
      status: 'active',
      metadata: input.metadata ?? {},
      network: parseNetwork(input.network ?? {}),
      envVars: input.envVars ?? {},
      secretsMode: input.secretsMode ?? 'bound',
      limits: withLimits(NO_LIMITS, input.limits),
      interceptAll: input.interceptAll ?? false,
      sourceCidrs: checkSourceCidrs(input.sourceCidrs ?? []),
      timeoutSeconds: input.timeoutSeconds ?? null,
      armedAtMs: nowMs,
      autoDeleteSeconds: input.autoDeleteSeconds ?? null,
      pausedAtMs: null,
      autoDeleteAtMs: null,
      expiresAtMs: parseExpiry(nowMs, input.ttlSeconds, input.expiresAtMs),
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      createdBy: actor.subject,
      revision: 1,
    };
  }

  async #mintBindings(
    actor: Actor,
    sandbox: Sandbox,
    secrets: Readonly<Record<string, string>>,
  ): Promise<BindingRow[]> {
    const entries = Object.entries(secrets);
    if (entries.length > FIXED.bindingsPerSandboxMax) {
      throw fieldError('secrets', `must have at most ${FIXED.bindingsPerSandboxMax} entries`);
    }
    const rows: BindingRow[] = [];
    for (const [envKey, secretName] of entries) {
      const { id: sandboxId, workspaceId, createdAtMs: nowMs } = sandbox;
      const request = {
        sandboxId,
        workspaceId,
        envKey,
        secretName,
        inject: 'auto',
        nowMs,
      } as const;
      const minted = await this.#deps.binder.mintBinding(actor, request, `secrets.${envKey}`);
      rows.push({ binding: minted.binding, secretName: minted.secret.name, revoked: false });
    }
    return rows;
  }

  async #workspaceId(actor: Actor, named: string | undefined): Promise<string> {
    const { organizations } = this.#deps;
    const { organizationId } = actor;
    const workspace =
      named === undefined
        ? ((await organizations.readWorkspace(organizationId, DEFAULT_NAME)) ??
          (await organizations.listWorkspaces(organizationId))[0])
        : await organizations.readWorkspace(organizationId, named.trim());
    if (workspace === undefined || !isWorkspaceInReach(actor, workspace.id)) {
      throw fieldError('workspace', 'there is no workspace of that id or name');
    }
    return workspace.id;
  }
}

function checkAllModeInput(actor: Actor, input: SandboxInput): void {
  checkAllMode(actor);
  if (Object.keys(input.secrets ?? {}).length === 0) return;
  throw fieldError('secrets', 'cannot stand beside secrets_mode all, which has no variables');
}
