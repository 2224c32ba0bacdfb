/**
 * What is special about sandboxes with `secrets_mode: all`: who may make one (it can use every secret its
 * workspace may use, also those of tomorrow), and the warnings about secrets that would tie in them.
 */
import { ControlError } from '../kernel/errors.ts';
import type { Actor } from '../organizations/actor.ts';
import { checkRole } from '../organizations/roles.ts';
import { describeAmbiguity, findAmbiguities } from '../policy/ambiguity.ts';
import type { SharedBindings } from '../policy/organization-secrets.ts';
import type { Secret } from '../secrets/secret.ts';
import type { SandboxStore } from './sandbox-store.ts';

const WARNINGS_MAX = 20;

export interface AllModeDeps {
  readonly store: Pick<SandboxStore, 'listAllModeWorkspaces'>;
  readonly policy: {
    secretsOf(organizationId: string, workspaceId: string): Promise<SharedBindings>;
  };
}

/** Whoever hands out such a sandbox hands out every secret. ControlError `forbidden`. */
export function checkAllMode(actor: Actor): void {
  checkRole(actor, 'administer');
  if (actor.secretIds === null) return;
  throw new ControlError('forbidden', {
    message: 'This API key is narrowed to some secrets; secrets_mode all means every one.',
  });
}

export class AllMode {
  readonly #deps: AllModeDeps;

  constructor(deps: AllModeDeps) {
    this.#deps = deps;
  }

  /** For a sandbox in this workspace. ControlError `conflict`: too many secrets. */
  async warningsFor(organizationId: string, workspaceId: string): Promise<string[]> {
    const { index } = await this.#deps.policy.secretsOf(organizationId, workspaceId);
    return findAmbiguities(index, WARNINGS_MAX).map(describeAmbiguity);
  }

  /** Does this secret, just made, tie with another one in a sandbox that there is? */
  async warningsAbout({ organizationId, id }: Pick<Secret, 'organizationId' | 'id'>) {
    const warnings = new Set<string>();
    for (const workspaceId of await this.#deps.store.listAllModeWorkspaces(organizationId)) {
      const { index } = await this.#deps.policy.secretsOf(organizationId, workspaceId);
      for (const found of findAmbiguities(index, WARNINGS_MAX, id)) {
        warnings.add(describeAmbiguity(found));
      }
    }
    return [...warnings].slice(0, WARNINGS_MAX);
  }
}
