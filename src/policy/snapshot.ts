/**
 * The compiled, immutable policy of one sandbox: everything a decision needs, patterns parsed, lists
 * indexed. Made by `snapshot-compile.ts` from one consistent read; replaced as a whole, never changed.
 */
import type { Inject, Sandbox, SandboxLimits, SandboxStatus } from '../sandboxes/sandbox.ts';
import type { Placement } from '../secrets/auth.ts';
import type { OnExisting, SealedVersion } from '../secrets/secret.ts';
import type { Cidr } from '../wire/ranges.ts';
import type { BindingIndex } from './binding-index.ts';
import type { HostPattern } from './host-pattern.ts';
import type { NetworkRules } from './network-rules.ts';
import type { PathPattern } from './path-pattern.ts';

/** Why a binding cannot inject any more, as the code its placeholder is refused with. */
/** `version`: it stays with a version that was not given for where the secret goes now. */
export type Revocation = 'detached' | 'deleted' | 'version' | 'workspace';

export type Tombstone =
  | 'credential_revoked'
  | 'credential_disabled'
  | 'credential_expired'
  | 'credential_unavailable';

/** One auth rule of a bound secret, ready to match and to place. */
export interface CompiledRule {
  readonly hosts: readonly HostPattern[];
  /** `null`: every path. */
  readonly paths: readonly PathPattern[] | null;
  readonly placement: Placement;
  /** Normalized names it sets and strips: its claim. Shared by all requests, never changed. */
  readonly claimFields: readonly string[];
  readonly claimQuery: readonly string[];
  readonly claimsPath: boolean;
  readonly claimsCertificate: boolean;
}

export interface CompiledBinding {
  readonly bindingId: string;
  /** Empty with `secrets_mode: all`. */
  readonly envKey: string;
  readonly inject: Inject;
  /** Empty with `secrets_mode: all`: there is nothing to look for. */
  readonly placeholder: string;
  readonly secretId: string;
  readonly secretName: string;
  /** Of the secret, for `/.well-known/sallyport`. */
  readonly description: string | null;
  /** `null`: no longer there; then `tombstone` says why. */
  readonly version: SealedVersion | null;
  readonly versionNumber: number;
  /** Of the secret: what is counted since its last rotation names it. */
  readonly rotation: number;
  /** An earlier version that may serve one retry of a request whose credential was refused. */
  readonly overlap: { readonly version: SealedVersion; readonly endsAtMs: number } | null;
  /** Dead for a reason known when compiled. Expiry is judged at the request by `expiresAtMs`. */
  readonly tombstone: Tombstone | null;
  /** Merely detached: host injection ended, ordinary requests pass. */
  readonly detached: boolean;
  /** Why it is `credential_revoked`. */
  readonly revocation: Revocation | null;
  readonly rules: readonly CompiledRule[];
  readonly hosts: readonly HostPattern[];
  readonly ports: readonly number[];
  readonly methods: readonly string[] | null;
  readonly paths: readonly PathPattern[] | null;
  readonly priority: number;
  readonly onExisting: OnExisting;
  readonly companionHeaders: Readonly<Record<string, string>>;
  readonly maskResponses: boolean;
  readonly allowPlaintext: boolean;
  readonly expiresAtMs: number | null;
}

export interface Snapshot {
  /** Grows with every compilation in this process; equal means unchanged. */
  readonly revision: number;
  readonly compiledAtMs: number;
  readonly sandboxId: string;
  readonly sandboxName: string;
  readonly organizationId: string;
  readonly workspaceId: string;
  readonly status: SandboxStatus;
  readonly expiresAtMs: number | null;
  readonly sourceCidrs: readonly Cidr[];
  readonly interceptAll: boolean;
  /** `all`: `bindings` are every secret its workspace may use, without variables or placeholders. */
  readonly secretsMode: Sandbox['secretsMode'];
  readonly limits: SandboxLimits;
  readonly network: NetworkRules;
  /** Attached ones, then the newest tombstones. */
  readonly bindings: readonly CompiledBinding[];
  /** The same by host, and the placeholders to look for. */
  readonly index: BindingIndex;
  /** Of the sandbox. */
  readonly description: string | null;
}
