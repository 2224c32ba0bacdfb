/**
 * Compiles what the store says about one sandbox into a snapshot: patterns parsed, claims worked out,
 * dead bindings marked with the code their placeholder is refused with. Pure. Throws when a stored
 * pattern does not parse: the feed turns that into `policy_unavailable`, never into a weaker policy (I8).
 */
import { FIXED } from '../kernel/limits.ts';
import type { Auth, Placement } from '../secrets/auth.ts';
import type { Secret } from '../secrets/secret.ts';
import { parseCidr } from '../wire/ranges.ts';
import { buildBindingIndex } from './binding-index.ts';
import { claimOf } from './claim.ts';
import { parseHostPattern, type HostPattern } from './host-pattern.ts';
import { compileNetworkRules } from './network-rules.ts';
import { parsePathPattern, type PathPattern } from './path-pattern.ts';
import type { SharedBindings } from './organization-secrets.ts';
import type { BoundSecret, PolicySource } from './policy-store.ts';
import type { CompiledBinding, CompiledRule, Revocation, Snapshot, Tombstone } from './snapshot.ts';

export interface CompileOptions {
  readonly revision: number;
  /** Wall clock. */
  readonly nowMs: number;
  /** Of a sandbox with `secrets_mode: all`, in the place of what `source` says is bound. */
  readonly shared?: SharedBindings;
}

export function compileSnapshot(source: PolicySource, options: CompileOptions): Snapshot {
  const { sandbox } = source;
  return {
    revision: options.revision,
    compiledAtMs: options.nowMs,
    sandboxId: sandbox.id,
    sandboxName: sandbox.name,
    organizationId: sandbox.organizationId,
    workspaceId: sandbox.workspaceId,
    status: sandbox.status,
    expiresAtMs: sandbox.expiresAtMs,
    sourceCidrs: sandbox.sourceCidrs.map(parseCidr),
    interceptAll: sandbox.interceptAll,
    limits: sandbox.limits,
    network: compileNetworkRules(sandbox.network),
    secretsMode: sandbox.secretsMode,
    ...(options.shared ?? compileOwn(source)),
    description: sandbox.description,
  };
}

function compileOwn({ sandbox, bound }: PolicySource): SharedBindings {
  const compiled = bound.map((one) => compileBinding(one, sandbox.workspaceId));
  const bindings = withNewestTombstones(compiled, bound);
  return { bindings, index: buildBindingIndex(bindings) };
}

/** `workspaceId: null`: whoever may use it was chosen before. */
export function compileBinding(bound: BoundSecret, workspaceId: string | null): CompiledBinding {
  const { binding, secret, version } = bound;
  const revocation = readRevocation(bound, workspaceId);
  return {
    bindingId: binding.id,
    envKey: binding.envKey,
    inject: binding.inject,
    placeholder: binding.placeholder,
    secretId: secret.id,
    secretName: secret.name,
    description: secret.description,
    version,
    versionNumber: version?.version ?? secret.version,
    rotation: secret.rotation,
    overlap: compileOverlap(bound),
    tombstone: readTombstone(secret, revocation),
    detached: binding.detachedAtMs !== null,
    revocation,
    rules: compileRules(secret),
    hosts: compileHosts(secret.hosts),
    ports: secret.ports,
    methods: secret.methods,
    paths: compilePaths(secret.paths),
    priority: secret.priority,
    onExisting: secret.onExisting,
    companionHeaders: secret.companionHeaders,
    maskResponses: secret.maskResponses,
    allowPlaintext: secret.allowPlaintext,
    expiresAtMs: secret.expiresAtMs,
  };
}

/** Only of a binding that follows the active version, and never of a version that was cut off. */
function compileOverlap({ secret, overlapVersion }: BoundSecret): CompiledBinding['overlap'] {
  const { overlap } = secret;
  if (overlap === null || overlapVersion === null) return null;
  if (overlapVersion.version < secret.oldestUsableVersion) return null;
  return { version: overlapVersion, endsAtMs: overlap.endsAtMs };
}

/** Expiry is not here: it is judged at each request. */
function readTombstone(secret: Secret, revocation: Revocation | null): Tombstone | null {
  if (revocation !== null) return 'credential_revoked';
  return secret.disabled ? 'credential_disabled' : null;
}

function readRevocation(bound: BoundSecret, workspaceId: string | null): Revocation | null {
  const { binding, secret, version } = bound;
  if (binding.detachedAtMs !== null) return 'detached';
  if (bound.secretDeletedAtMs !== null || version === null) return 'deleted';
  if (version.version < secret.oldestUsableVersion) return 'version';
  return workspaceId !== null && !isAllowedIn(secret, workspaceId) ? 'workspace' : null;
}

/** May sandboxes of this workspace use it? */
export function isAllowedIn(secret: Secret, workspaceId: string): boolean {
  if (secret.allowedWorkspacesType === 'ALL') return true;
  return secret.allowedWorkspacesType === 'SOME' && secret.allowedWorkspaces.includes(workspaceId);
}

function compileRules(secret: Secret): readonly CompiledRule[] {
  if (secret.auth === null) return [];
  return rulesOf(secret.auth, secret.hosts).map(({ placement, hosts, paths }) => ({
    hosts: compileHosts(hosts),
    paths: compilePaths(paths),
    placement,
    ...claimOf(placement, secret.alsoStrip),
  }));
}

interface PlainRule {
  readonly placement: Placement;
  readonly hosts: readonly string[];
  readonly paths: readonly string[] | null;
}

function rulesOf(auth: Auth, secretHosts: readonly string[]): readonly PlainRule[] {
  if (!('perHost' in auth)) return [{ placement: auth, hosts: secretHosts, paths: null }];
  return auth.perHost.map(({ hosts, paths, ...placement }) => ({
    placement,
    hosts,
    paths: paths ?? null,
  }));
}

function compileHosts(hosts: readonly string[]): readonly HostPattern[] {
  return hosts.map((host) => parseHostPattern(host, 'one'));
}

function compilePaths(paths: readonly string[] | null): readonly PathPattern[] | null {
  return paths === null ? null : paths.map(parsePathPattern);
}

/** Living bindings all stay; of the dead ones the newest, by when they were detached or created. */
function withNewestTombstones(
  compiled: readonly CompiledBinding[],
  bound: readonly BoundSecret[],
): readonly CompiledBinding[] {
  const dead = compiled
    .map((binding, index) => ({ binding, endedAtMs: endOf(bound[index]) }))
    .filter(({ binding }) => binding.tombstone !== null);
  if (dead.length <= FIXED.tombstonesPerSandboxMax) return compiled;
  const newest = dead
    .sort((one, other) => other.endedAtMs - one.endedAtMs)
    .slice(0, FIXED.tombstonesPerSandboxMax);
  const kept = new Set(newest.map(({ binding }) => binding));
  return compiled.filter((binding) => binding.tombstone === null || kept.has(binding));
}

/** An attached binding to a dead secret counts as newest: it is listed to the sandbox still. */
function endOf(bound: BoundSecret | undefined): number {
  return bound?.binding.detachedAtMs ?? Number.MAX_SAFE_INTEGER;
}
