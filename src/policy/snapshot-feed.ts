/**
 * Where the data plane gets current policy (contract: `policy-feed.ts`). Warm answers are synchronous out
 * of a bounded cache; a cold one reads the store once, however many ask. A read that began before a
 * change is never kept after it, nor handed out: it is read again. A store that fails is
 * `policy_unavailable` for whoever asks, never an old answer (I8).
 */
import { Refusal } from '../kernel/errors.ts';
import { BoundedMap } from '../kernel/bounded-map.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Limits } from '../kernel/limits.ts';
import type { PolicyChange, PolicyChanges, PolicyFeed, TokenHolder } from './policy-feed.ts';
import type { PolicyStore } from './policy-store.ts';
import { OrganizationSecrets, type SharedBindings } from './organization-secrets.ts';
import { SingleFlight } from './single-flight.ts';
import { compileSnapshot } from './snapshot-compile.ts';
import type { Snapshot } from './snapshot.ts';
import { SourceRanges } from './source-ranges.ts';
import { TokenCache } from './token-cache.ts';

export interface SnapshotFeedOptions {
  readonly store: PolicyStore;
  /** Every sandbox whose policy depends on it: attached and detached bindings, `secrets_mode: all`. */
  readonly sandboxIdsOfSecret: (
    organizationId: string,
    secretId: string,
  ) => Promise<readonly string[]>;
  readonly clock: Clock;
  readonly limits: Pick<Limits, 'snapshotCacheMax'>;
  /** For the log: a store that failed, a listener that threw. */
  readonly onError: (error: unknown) => void;
}

type Listener = (sandboxId: string, kind: PolicyChange['kind']) => void;

export class SnapshotFeed implements PolicyFeed, PolicyChanges {
  readonly #options: SnapshotFeedOptions;
  readonly #snapshots: BoundedMap<string, Snapshot>;
  readonly #snapshotLoads = new SingleFlight<Snapshot>();
  readonly #tokens: TokenCache;
  readonly #tokenLoads = new SingleFlight<TokenHolder>();
  readonly #ranges: SourceRanges;
  readonly #organizationSecrets: OrganizationSecrets;
  readonly #listeners = new Set<Listener>();
  #revision = 0;
  /** Monotonic time of the first failure since the store last answered. */
  #failingSinceMs: number | null = null;

  constructor(options: SnapshotFeedOptions) {
    this.#options = options;
    this.#snapshots = new BoundedMap(options.limits.snapshotCacheMax);
    this.#tokens = new TokenCache(options.limits.snapshotCacheMax);
    this.#ranges = new SourceRanges(options.store);
    this.#organizationSecrets = new OrganizationSecrets(options.store);
  }

  /** For how long the store has not been able to say what is current; 0 when it can. */
  policyAgeSeconds(): number {
    if (this.#failingSinceMs === null) return 0;
    return (this.#options.clock.monotonicMs() - this.#failingSinceMs) / 1_000;
  }

  holderOf(tokenHash: string): TokenHolder | undefined | Promise<TokenHolder | undefined> {
    const warm = this.#tokens.get(tokenHash);
    if (warm === undefined) return this.#loadHolder(tokenHash);
    const { validUntilMs } = warm;
    if (validUntilMs === null || validUntilMs > this.#options.clock.nowMs()) return warm;
    this.#tokens.delete(tokenHash);
    return undefined;
  }

  async holderBySource(address: string): Promise<TokenHolder | undefined> {
    return this.#guarded(() => this.#ranges.readHolder(address));
  }

  snapshotOf(sandboxId: string): Snapshot | undefined | Promise<Snapshot | undefined> {
    return this.#snapshots.get(sandboxId) ?? this.#loadSnapshot(sandboxId);
  }

  /** What a sandbox with `secrets_mode: all` in that workspace may use. Rejects when the store does. */
  secretsOf(organizationId: string, workspaceId: string): Promise<SharedBindings> {
    return this.#organizationSecrets.read(organizationId, workspaceId);
  }

  warmSnapshotOf(sandboxId: string): Snapshot | undefined {
    return this.#snapshots.get(sandboxId);
  }

  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async announce(change: PolicyChange): Promise<void> {
    const sandboxIds = await this.#affectedBy(change);
    if (change.kind !== 'disconnect') this.#invalidate(change, sandboxIds);
    for (const sandboxId of sandboxIds) this.#notify(sandboxId, change.kind);
  }

  /**
   * Nothing that is known counts any more: something may have changed that nobody announced. What is open is
   * judged anew by the sweep of the data plane, which finds no snapshot of it.
   */
  forgetAll(): void {
    this.#snapshots.clear();
    this.#snapshotLoads.outdateAll();
    this.#tokens.clear();
    this.#tokenLoads.outdateAll();
    this.#ranges.outdate();
    this.#organizationSecrets.clear();
  }

  /** When the store cannot say who depends on a secret, everyone is taken to. */
  async #affectedBy(change: PolicyChange): Promise<readonly string[]> {
    if (change.kind !== 'secret') return [change.sandboxId];
    try {
      const { organizationId, secretId } = change;
      return await this.#options.sandboxIdsOfSecret(organizationId, secretId);
    } catch (error) {
      this.#options.onError(error);
      return [...this.#snapshots.values()].map(({ sandboxId }) => sandboxId);
    }
  }

  #invalidate(change: PolicyChange, sandboxIds: readonly string[]): void {
    if (change.kind === 'secret') {
      this.#organizationSecrets.outdate(change.organizationId, change.secretId);
      for (const sandboxId of sandboxIds) this.#snapshots.delete(sandboxId);
      // A running read may be of a sandbox that was bound after the list was made.
      this.#snapshotLoads.outdateAll();
      return;
    }
    const { sandboxId } = change;
    this.#snapshots.delete(sandboxId);
    this.#snapshotLoads.outdate(sandboxId);
    this.#tokens.deleteOf(sandboxId);
    // Which sandbox a token being read belongs to is not known yet.
    this.#tokenLoads.outdateAll();
    this.#ranges.outdate();
  }

  #notify(sandboxId: string, kind: PolicyChange['kind']): void {
    for (const listener of this.#listeners) {
      try {
        listener(sandboxId, kind);
      } catch (error) {
        this.#options.onError(error);
      }
    }
  }

  #loadSnapshot(sandboxId: string): Promise<Snapshot | undefined> {
    return this.#guarded(() =>
      this.#snapshotLoads.load(
        sandboxId,
        () => this.#readSnapshot(sandboxId),
        (snapshot) => this.#snapshots.set(sandboxId, snapshot),
      ),
    );
  }

  async #readSnapshot(sandboxId: string): Promise<Snapshot | undefined> {
    const source = await this.#options.store.readPolicySource(sandboxId);
    if (source === undefined) return undefined;
    this.#revision += 1;
    const { organizationId, workspaceId, secretsMode } = source.sandbox;
    const shared =
      secretsMode === 'all'
        ? await this.#organizationSecrets.read(organizationId, workspaceId)
        : undefined;
    const nowMs = this.#options.clock.nowMs();
    const options = { revision: this.#revision, nowMs };
    return compileSnapshot(source, shared === undefined ? options : { ...options, shared });
  }

  /** Unknown tokens are not remembered: an attacker has any number of them. */
  #loadHolder(tokenHash: string): Promise<TokenHolder | undefined> {
    return this.#guarded(() =>
      this.#tokenLoads.load(
        tokenHash,
        () => this.#readHolder(tokenHash),
        (holder) => this.#tokens.set(holder),
      ),
    );
  }

  async #readHolder(tokenHash: string): Promise<TokenHolder | undefined> {
    const nowMs = this.#options.clock.nowMs();
    const owner = await this.#options.store.readTokenOwner(tokenHash, nowMs);
    if (owner === undefined) return undefined;
    return { sandboxId: owner.sandboxId, tokenHash, validUntilMs: owner.validUntilMs };
  }

  async #guarded<T>(read: () => Promise<T>): Promise<T> {
    try {
      const answer = await read();
      this.#failingSinceMs = null;
      return answer;
    } catch (error) {
      this.#failingSinceMs ??= this.#options.clock.monotonicMs();
      this.#options.onError(error);
      throw new Refusal('policy_unavailable', { cause: error, retryAfterS: 1 });
    }
  }
}
