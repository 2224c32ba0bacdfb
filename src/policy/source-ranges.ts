/**
 * Who calls from this address? For `proxy.identify_by_source`: the one sandbox whose ranges contain it.
 * Read from the store once and again after any sandbox changed. A range that does not parse fails the
 * look-up: passing over it could make one of two matches look like the only one (I6).
 */
import { readAddress } from '../wire/address.ts';
import { isInCidr, parseCidr, type Cidr } from '../wire/ranges.ts';
import type { TokenHolder } from './policy-feed.ts';
import type { PolicyStore } from './policy-store.ts';
import { SingleFlight } from './single-flight.ts';

interface SourceRange {
  readonly sandboxId: string;
  readonly ranges: readonly Cidr[];
}

export class SourceRanges {
  readonly #store: PolicyStore;
  readonly #loads = new SingleFlight<readonly SourceRange[]>();
  #known: readonly SourceRange[] | null = null;

  constructor(store: PolicyStore) {
    this.#store = store;
  }

  /** `undefined`: none, several, or not an address. Rejects when the store does not answer. */
  async readHolder(addressText: string): Promise<TokenHolder | undefined> {
    const address = readAddress(addressText);
    if (address === undefined) return undefined;
    const known = this.#known ?? (await this.#load());
    const matching = known.filter(({ ranges }) => ranges.some((range) => isInCidr(address, range)));
    const [only] = matching;
    if (only === undefined || matching.length > 1) return undefined;
    return { sandboxId: only.sandboxId, tokenHash: '', validUntilMs: null };
  }

  outdate(): void {
    this.#known = null;
    this.#loads.outdateAll();
  }

  async #load(): Promise<readonly SourceRange[]> {
    const read = async (): Promise<readonly SourceRange[]> => {
      const rows = await this.#store.listSourceRanges();
      return rows.map(({ sandboxId, sourceCidrs }) => ({
        sandboxId,
        ranges: sourceCidrs.map(parseCidr),
      }));
    };
    const loaded = await this.#loads.load('', read, (ranges) => {
      this.#known = ranges;
    });
    return loaded ?? [];
  }
}
