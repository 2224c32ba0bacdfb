/**
 * Known sandbox tokens, by hash, bounded; forgotten together when their sandbox changes. Holds hashes,
 * never tokens.
 */
import { BoundedMap } from '../kernel/bounded-map.ts';
import type { TokenHolder } from './policy-feed.ts';

export class TokenCache {
  readonly #holders: BoundedMap<string, TokenHolder>;
  readonly #hashesOf = new Map<string, Set<string>>();

  constructor(max: number) {
    this.#holders = new BoundedMap(max, (_hash, holder) => this.#unlist(holder));
  }

  get(tokenHash: string): TokenHolder | undefined {
    return this.#holders.get(tokenHash);
  }

  set(holder: TokenHolder): void {
    const listed = this.#hashesOf.get(holder.sandboxId);
    if (listed === undefined) this.#hashesOf.set(holder.sandboxId, new Set([holder.tokenHash]));
    else listed.add(holder.tokenHash);
    this.#holders.set(holder.tokenHash, holder);
  }

  delete(tokenHash: string): void {
    const holder = this.#holders.get(tokenHash);
    if (holder === undefined) return;
    this.#holders.delete(tokenHash);
    this.#unlist(holder);
  }

  deleteOf(sandboxId: string): void {
    for (const hash of this.#hashesOf.get(sandboxId) ?? []) this.#holders.delete(hash);
    this.#hashesOf.delete(sandboxId);
  }

  clear(): void {
    this.#holders.clear();
    this.#hashesOf.clear();
  }

  #unlist(holder: TokenHolder): void {
    const listed = this.#hashesOf.get(holder.sandboxId);
    listed?.delete(holder.tokenHash);
    if (listed?.size === 0) this.#hashesOf.delete(holder.sandboxId);
  }
}
