/**
 * Leaves by host, each turned into what the caller needs (`build`: a TLS context). A warm host costs a
 * map look-up and answers synchronously; a cold one is minted once, however many ask at the same time.
 * Bounded; replaced when less than an eighth of the life is left, or when the clock was set back since. A
 * failed mint is not remembered, and what was being minted when everything was dropped is given to who asked
 * for it and not kept.
 */
import { BoundedMap } from '../kernel/bounded-map.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Host } from '../wire/host.ts';
import type { LeafMaterial } from './authority.ts';

export interface LeafCacheOptions<T> {
  readonly mint: (host: Host) => Promise<LeafMaterial>;
  readonly build: (material: LeafMaterial) => T;
  readonly clock: Clock;
  readonly leafCacheMax: number;
}

interface Leaf<T> {
  readonly built: T;
  readonly mintedMs: number;
  readonly renewAtMs: number;
}

const RENEW_SHARE = 1 / 8;
/** Set back further than this, a leaf may not be valid yet: its backdating is for clocks of clients. */
const CLOCK_STEP_MS = 60_000;

export class LeafCache<T> {
  readonly #options: LeafCacheOptions<T>;
  readonly #leaves: BoundedMap<string, Leaf<T>>;
  readonly #minting = new Map<string, Promise<T>>();
  #generation = 0;

  constructor(options: LeafCacheOptions<T>) {
    this.#options = options;
    this.#leaves = new BoundedMap(options.leafCacheMax);
  }

  /** Rejects with what `mint` rejected with. */
  get(host: Host): T | Promise<T> {
    const leaf = this.#leaves.get(host.text);
    if (leaf !== undefined && isFresh(leaf, this.#options.clock.nowMs())) return leaf.built;
    const running = this.#minting.get(host.text);
    if (running !== undefined) return running;
    const minted = this.#mint(host).finally(() => {
      if (this.#minting.get(host.text) === minted) this.#minting.delete(host.text);
    });
    this.#minting.set(host.text, minted);
    return minted;
  }

  /** Another root signs: nothing minted before is handed out any more. */
  clear(): void {
    this.#generation += 1;
    this.#leaves.clear();
    this.#minting.clear();
  }

  async #mint(host: Host): Promise<T> {
    const { mint, build, clock } = this.#options;
    const generation = this.#generation;
    const mintedMs = clock.nowMs();
    const material = await mint(host);
    const built = build(material);
    const lifeMs = material.notAfterMs - mintedMs;
    const renewAtMs = material.notAfterMs - lifeMs * RENEW_SHARE;
    if (generation === this.#generation) {
      this.#leaves.set(host.text, { built, mintedMs, renewAtMs });
    }
    return built;
  }
}

function isFresh({ mintedMs, renewAtMs }: Leaf<unknown>, nowMs: number): boolean {
  return nowMs < renewAtMs && nowMs > mintedMs - CLOCK_STEP_MS;
}
