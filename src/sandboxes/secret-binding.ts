/**
 * Making a binding: the secret must exist, be allowed in the sandbox's workspace and be visible to the
 * key; its placeholder has the shape of the provider's keys. Stores nothing itself.
 */
import { ControlError } from '../kernel/errors.ts';
import { fieldError } from '../kernel/field-error.ts';
import { mintId } from '../kernel/ids.ts';
import type { Actor } from '../organizations/actor.ts';
import type { OrganizationStore } from '../organizations/organization-store.ts';
import { isSecretInReach } from '../organizations/roles.ts';
import type { HostPattern } from '../policy/host-pattern.ts';
import type { ProviderCatalogue } from '../providers/catalogue.ts';
import { mintPlaceholder } from '../providers/token-shape.ts';
import { checkInterceptable } from '../secrets/never-intercepted.ts';
import { SecretReferences } from '../secrets/secret-reference.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import type { Secret } from '../secrets/secret.ts';
import type { Binding, Inject } from './sandbox.ts';
import { checkEnvKey } from './sandbox-rules.ts';

export interface SecretBinderDeps {
  readonly secrets: Pick<SecretStore, 'readSecret' | 'readVersion'>;
  readonly organizations: Pick<OrganizationStore, 'readOrganization'>;
  readonly catalogue: ProviderCatalogue;
  /** `egress.never_intercept`: on such hosts nothing can be injected, so nothing is bound. */
  readonly neverIntercept: readonly HostPattern[];
}

export interface BindingRequest {
  readonly sandboxId: string;
  readonly workspaceId: string;
  readonly envKey: string;
  readonly secretName: string;
  readonly inject: Inject;
  readonly nowMs: number;
}

export class SecretBinder {
  readonly #deps: SecretBinderDeps;

  readonly #references: SecretReferences;

  constructor(deps: SecretBinderDeps) {
    this.#deps = deps;
    this.#references = new SecretReferences(deps.organizations);
  }

  /**
   * ControlError `bad_request` (names, hosts), `secret_not_found`, `forbidden` (workspace). `path` is the
   * field that names the secret, `keyPath` the one that names the variable.
   */
  async mintBinding(
    actor: Actor,
    request: BindingRequest,
    path: string,
    keyPath = path,
  ): Promise<{ binding: Binding; secret: Secret }> {
    checkEnvKey(request.envKey, keyPath);
    const { secret, version } = await this.#readSecret(actor, request.secretName, path);
    if (!isAllowedIn(secret, request.workspaceId)) {
      throw new ControlError('forbidden', {
        message: `${path}: the secret ${secret.name} may not be used in the workspace of this sandbox`,
      });
    }
    checkInterceptable(secret.hosts, this.#deps.neverIntercept, path);
    const binding: Binding = {
      id: mintId(),
      organizationId: actor.organizationId,
      sandboxId: request.sandboxId,
      secretId: secret.id,
      envKey: request.envKey,
      inject: request.inject,
      placeholder: mintPlaceholder(this.#deps.catalogue.shapeOf(secret.provider)),
      createdAtMs: request.nowMs,
      detachedAtMs: null,
      ...(version === null ? {} : { pinnedVersion: version }),
    };
    return { binding, secret };
  }

  async #readSecret(
    actor: Actor,
    name: string,
    path: string,
  ): Promise<{ secret: Secret; version: number | null }> {
    const { secrets } = this.#deps;
    const { organizationId } = actor;
    const reference = await this.#references.resolve(organizationId, name, path);
    const row = reference && (await secrets.readSecret(organizationId, reference.name));
    if (reference === undefined || row === undefined || !isSecretInReach(actor, row.secret.id)) {
      throw fieldError(path, `there is no secret named ${name}`, 'secret_not_found');
    }
    const { version } = reference;
    if (version === null) return { secret: row.secret, version };
    if ((await secrets.readVersion(organizationId, row.secret.id, version)) === undefined) {
      throw fieldError(path, `there is no version ${version} of that secret`, 'secret_not_found');
    }
    if (version < row.secret.oldestUsableVersion) {
      throw fieldError(
        path,
        `version ${version} is older than where that secret goes now; bind ${row.secret.oldestUsableVersion} or a later one`,
      );
    }
    return { secret: row.secret, version };
  }
}

function isAllowedIn(secret: Secret, workspaceId: string): boolean {
  if (secret.allowedWorkspacesType === 'ALL') return true;
  return secret.allowedWorkspacesType === 'SOME' && secret.allowedWorkspaces.includes(workspaceId);
}
