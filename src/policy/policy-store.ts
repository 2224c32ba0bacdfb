/**
 * What the snapshot feed reads: everything that decides about one sandbox, in one consistent read. Also
 * the two look-ups that find a sandbox from what a client shows.
 */
import type { Binding, Sandbox } from '../sandboxes/sandbox.ts';
import type { Secret, SealedVersion } from '../secrets/secret.ts';

export interface BoundSecret {
  readonly binding: Binding;
  /** As last known, also when deleted. */
  readonly secret: Secret;
  readonly secretDeletedAtMs: number | null;
  /** The active version's envelope; `null` once the secret was deleted. */
  readonly version: SealedVersion | null;
  /** The version of the secret's overlap, also one whose end has passed; `null` for a pinned binding. */
  readonly overlapVersion: SealedVersion | null;
}

export interface PolicySource {
  readonly sandbox: Sandbox;
  /** Attached bindings (in order of creation), then the newest detached ones, at most 64 tombstones. */
  readonly bound: readonly BoundSecret[];
}

export interface TokenOwner {
  readonly sandboxId: string;
  /** Until when the token works, `null` for no end. */
  readonly validUntilMs: number | null;
}

export interface PolicyStore {
  readPolicySource(sandboxId: string): Promise<PolicySource | undefined>;
  /**
   * Every secret of the organization that says where it goes, each with a binding that stands for none
   * (`secrets_mode: all`), ascending by secret id from behind `afterId`.
   */
  listPlacedSecrets(
    organizationId: string,
    afterId: string,
    limit: number,
  ): Promise<readonly BoundSecret[]>;
  /** The same of these; what was deleted or says not where it goes is left out. */
  readPlacedSecrets(
    organizationId: string,
    secretIds: readonly string[],
  ): Promise<readonly BoundSecret[]>;
  /** Tokens of deleted sandboxes and ended ones are `undefined`. */
  readTokenOwner(tokenHash: string, nowMs: number): Promise<TokenOwner | undefined>;
  /** For `proxy.identify_by_source`: every active sandbox with source ranges. */
  listSourceRanges(): Promise<
    readonly { readonly sandboxId: string; readonly sourceCidrs: readonly string[] }[]
  >;
}
