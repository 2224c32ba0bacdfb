/**
 * Where the data plane gets current policy. Warm answers are synchronous; a cold one reads the store
 * once, however many ask (single flight). After `invalidate…` resolves, every later `current` sees the
 * change: the admin API awaits it before it answers. No current policy, no egress (I8).
 */
import type { Snapshot } from './snapshot.ts';

/** What changed, as the domain services announce it after the commit. */
export type PolicyChange =
  | { readonly kind: 'sandbox'; readonly organizationId: string; readonly sandboxId: string }
  | { readonly kind: 'secret'; readonly organizationId: string; readonly secretId: string }
  | { readonly kind: 'token'; readonly organizationId: string; readonly sandboxId: string }
  | { readonly kind: 'disconnect'; readonly organizationId: string; readonly sandboxId: string };

/** The announcing end, given to the domain services. */
export interface PolicyChanges {
  /** Resolves when the change is in force in this process. */
  announce(change: PolicyChange): Promise<void>;
}

/** Who a token belongs to, with when it ends. */
export interface TokenHolder {
  readonly sandboxId: string;
  readonly tokenHash: string;
  readonly validUntilMs: number | null;
}

export interface PolicyFeed {
  /** The holder of a token; `undefined`: unknown, ended, or its sandbox is gone. Refusal `policy_unavailable` when the store does not answer. */
  holderOf(tokenHash: string): TokenHolder | undefined | Promise<TokenHolder | undefined>;
  /** The one sandbox whose source ranges contain this address; `undefined`: none or several. */
  holderBySource(address: string): Promise<TokenHolder | undefined>;
  /** The current snapshot; `undefined`: the sandbox is gone. Synchronous when warm. */
  snapshotOf(sandboxId: string): Snapshot | undefined | Promise<Snapshot | undefined>;
  /** The current snapshot if it is in memory: reads nothing, so it cannot fail. */
  warmSnapshotOf(sandboxId: string): Snapshot | undefined;
  /** Called after a change is in force; the proxy re-judges what that sandbox has open. Returns the unsubscriber. */
  onChange(listener: (sandboxId: string, kind: PolicyChange['kind']) => void): () => void;
}
