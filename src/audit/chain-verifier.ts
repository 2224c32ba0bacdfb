/**
 * Walks the hash chains of an organization from what retention left of them to their ends, a bounded page at
 * a time, and names the first row that does not fit. Rows that retention takes meanwhile are no fault. A head
 * noted earlier and kept elsewhere is looked for on the way: without one, whoever can write to the database
 * could have computed everything anew.
 */
import type { Actor } from '../organizations/actor.ts';
import { checkRole } from '../organizations/roles.ts';
import type { AuditStore, ChainState } from './audit-store.ts';

/** `uses`: what used a secret or was refused; `plain`: everything else. */
export type ChainName = 'uses' | 'plain';

/** The newest row of a chain, as it was told once. */
export interface ChainHead {
  readonly chain: ChainName;
  readonly id: number;
  /** Hex. */
  readonly hash: string;
}

export interface ChainReport {
  readonly chain: ChainName;
  /** Rows that fit so far. */
  readonly rows: number;
  /** The row the walk hangs on: it was pruned, or is before the first. */
  readonly afterId: number;
  readonly lastId: number;
  /** `null` while the walk goes on. */
  readonly isIntact: boolean | null;
  /** The first row that does not fit, or is not there. */
  readonly brokenId: number | null;
  /** Heads that were given and are not in the chain; those before its beginning cannot be told. */
  readonly unknownHeads: readonly ChainHead[];
  /** To note, and to give to a later verification. */
  readonly head: ChainHead | null;
}

type Reads = Pick<AuditStore, 'listChains' | 'verifyChainPage'>;

const PAGE_ROWS = 2_000;

export class ChainVerifier {
  readonly #store: Reads;

  constructor(store: Reads) {
    this.#store = store;
  }

  /** A report a page, and of each chain a last one. None: `audit.chain` is off. */
  async *verify(actor: Actor, known: readonly ChainHead[]): AsyncGenerator<ChainReport> {
    checkRole(actor, 'administer');
    const { organizationId } = actor;
    for (const { isImportant } of await this.#store.listChains(organizationId)) {
      const chain = nameOf(isImportant);
      const heads = known.filter((head) => head.chain === chain).toSorted((a, b) => a.id - b.id);
      yield* this.#walk(organizationId, isImportant, heads);
    }
  }

  async *#walk(
    organizationId: string,
    isImportant: boolean,
    known: readonly ChainHead[],
  ): AsyncGenerator<ChainReport> {
    const state = await this.#readState(organizationId, isImportant);
    if (state === undefined) return;
    const chain = nameOf(isImportant);
    let { anchorId: afterId, anchorHash: hash } = state;
    let rows = 0;
    const base = { chain, afterId, brokenId: null, unknownHeads: [], head: null };
    const anchorId = afterId;
    const heads = known.filter(({ id }) => id > anchorId);
    const unknownHeads: ChainHead[] = [];
    for (;;) {
      const untilId = Math.min(heads[0]?.id ?? state.lastId, state.lastId);
      const place = { afterId, hash, untilId };
      const page = await this.#store.verifyChainPage(organizationId, isImportant, place, PAGE_ROWS);
      if (page.brokenId !== null) {
        const pruned = await this.#readState(organizationId, isImportant);
        if (pruned !== undefined && pruned.anchorId > page.lastId) {
          ({ anchorId: afterId, anchorHash: hash } = pruned);
          while ((heads[0]?.id ?? Infinity) <= afterId) heads.shift();
          continue;
        }
        const { lastId, brokenId } = page;
        yield { ...base, rows: rows + page.rows, lastId, isIntact: false, brokenId, unknownHeads };
        return;
      }
      rows += page.rows;
      if (page.lastId > afterId) ({ lastId: afterId, hash } = page);
      if (page.rows === PAGE_ROWS) {
        yield { ...base, rows, lastId: afterId, isIntact: null };
        continue;
      }
      // Nothing more up to there.
      const noted = heads[0]?.id === untilId ? heads.shift() : undefined;
      if (noted === undefined) break;
      if (!isAt(noted, afterId, hash)) unknownHeads.push(noted);
    }
    // Newer than the newest row there is.
    unknownHeads.push(...heads);
    const isWhole = afterId === state.lastId && Buffer.from(hash).equals(state.lastHash);
    yield {
      ...base,
      rows,
      lastId: afterId,
      isIntact: isWhole && unknownHeads.length === 0,
      brokenId: isWhole ? null : state.lastId,
      unknownHeads,
      head: { chain, id: afterId, hash: Buffer.from(hash).toString('hex') },
    };
  }

  async #readState(organizationId: string, isImportant: boolean): Promise<ChainState | undefined> {
    const chains = await this.#store.listChains(organizationId);
    return chains.find((chain) => chain.isImportant === isImportant);
  }
}

function nameOf(isImportant: boolean): ChainName {
  return isImportant ? 'uses' : 'plain';
}

function isAt({ id, hash: noted }: ChainHead, lastId: number, hash: Uint8Array): boolean {
  return id === lastId && Buffer.from(hash).toString('hex') === noted;
}
