/**
 * Attaching secrets to a running sandbox and detaching them. A detached binding stays as a tombstone, so
 * that its placeholder is refused by name instead of travelling. In force when the promise resolves.
 */
import type { DeedRecorder } from '../activity/activity-journal.ts';
import type { Deed } from '../activity/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { ControlError } from '../kernel/errors.ts';
import { fieldError } from '../kernel/field-error.ts';
import type { Actor } from '../organizations/actor.ts';
import { checkRole } from '../organizations/roles.ts';
import type { PolicyChanges } from '../policy/policy-feed.ts';
import type { BindingInput } from './sandbox-input.ts';
import { checkEnvKey } from './sandbox-rules.ts';
import type { SandboxService } from './sandbox-service.ts';
import type { SandboxStore } from './sandbox-store.ts';
import type { Binding } from './sandbox.ts';
import type { SecretBinder } from './secret-binding.ts';

export interface BindingServiceDeps {
  readonly store: Pick<SandboxStore, 'insertBinding' | 'detachBinding'>;
  readonly sandboxes: Pick<SandboxService, 'read'>;
  readonly binder: SecretBinder;
  readonly changes: PolicyChanges;
  readonly activity: DeedRecorder;
  readonly clock: Clock;
}

export class BindingService {
  readonly #deps: BindingServiceDeps;

  constructor(deps: BindingServiceDeps) {
    this.#deps = deps;
  }

  /** ControlError `not_found` (sandbox), `secret_not_found`, `conflict` (key bound), `bad_request`. */
  async attach(
    actor: Actor,
    sandboxId: string,
    input: BindingInput,
  ): Promise<{ binding: Binding; secretName: string }> {
    checkRole(actor, 'operate');
    const { sandbox } = await this.#deps.sandboxes.read(actor, sandboxId);
    if (sandbox.secretsMode === 'all') {
      throw new ControlError('conflict', {
        message: 'This sandbox has secrets_mode all: it uses every secret, without variables.',
      });
    }
    if (Object.hasOwn(sandbox.envVars, input.envKey)) {
      throw fieldError('env_key', 'is already one of the env_vars of this sandbox');
    }
    const { binding, secret } = await this.#deps.binder.mintBinding(
      actor,
      {
        sandboxId,
        workspaceId: sandbox.workspaceId,
        envKey: input.envKey,
        secretName: input.secretName,
        inject: input.inject ?? 'auto',
        nowMs: this.#deps.clock.nowMs(),
      },
      'secret_name',
      'env_key',
    );
    await this.#deps.store.insertBinding(binding);
    const { envKey, inject } = binding;
    const deed: Deed = {
      action: 'sandbox.attach',
      targetId: sandboxId,
      targetName: sandbox.name,
      before: null,
      after: { env_key: envKey, secret_name: secret.name, inject },
    };
    await Promise.all([
      this.#announce(actor, sandboxId),
      this.#deps.activity.recordDone(actor, deed),
    ]);
    return { binding, secretName: secret.name };
  }

  /** ControlError `not_found`. */
  async detach(actor: Actor, sandboxId: string, envKey: string): Promise<void> {
    checkRole(actor, 'operate');
    checkEnvKey(envKey, 'env_key');
    const { sandbox } = await this.#deps.sandboxes.read(actor, sandboxId);
    const { store, clock, activity } = this.#deps;
    const { organizationId } = actor;
    if (!(await store.detachBinding(organizationId, sandboxId, envKey, clock.nowMs()))) {
      throw new ControlError('not_found', { message: `Nothing is bound to ${envKey}.` });
    }
    const deed: Deed = {
      action: 'sandbox.detach',
      targetId: sandboxId,
      targetName: sandbox.name,
      before: { env_key: envKey },
      after: null,
    };
    await Promise.all([this.#announce(actor, sandboxId), activity.recordDone(actor, deed)]);
  }

  #announce(actor: Actor, sandboxId: string): Promise<void> {
    const { organizationId } = actor;
    return this.#deps.changes.announce({ kind: 'sandbox', organizationId, sandboxId });
  }
}
