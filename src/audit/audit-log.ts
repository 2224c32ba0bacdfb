/**
 * The trail as admins read it: pages with filters, and everything page by page for an export. Roles and
 * narrowing are held here; an export never has more than two pages in memory.
 */
import type { Actor } from '../organizations/actor.ts';
import { checkRole } from '../organizations/roles.ts';
import type {
  AuditStore,
  TrailFilter,
  TrailPage,
  TrailPlace,
  TrailReach,
  TrailRow,
} from './audit-store.ts';

/** What may be asked; limits and reach are added here. */
export type TrailQuery = Omit<TrailFilter, keyof TrailReach | 'limit'>;

/** Stretches looked at for one page: a filter that finds little gets a short page, not a long wait. */
const STRETCHES_MAX = 3;
/** Rows of an export read at a time. */
const EXPORT_PAGE_ROWS = 1_000;

export class AuditLog {
  readonly #store: Pick<AuditStore, 'listTrail'>;

  constructor(store: Pick<AuditStore, 'listTrail'>) {
    this.#store = store;
  }

  /** Newest first. Short, even empty, pages may come before the end (`next: null`). */
  async page(actor: Actor, query: TrailQuery, limit: number): Promise<TrailPage> {
    checkRole(actor, 'read');
    const rows: TrailRow[] = [];
    let next: TrailPlace | null = query.before ?? null;
    for (let stretch = 0; stretch < STRETCHES_MAX; stretch += 1) {
      const filter: TrailFilter = {
        ...query,
        ...reachOf(actor),
        ...(next === null ? {} : { before: next }),
        limit: limit - rows.length,
      };
      const page = await this.#store.listTrail(actor.organizationId, filter);
      rows.push(...page.rows);
      next = page.next;
      if (next === null || rows.length === limit) break;
    }
    return { rows: rows.map((row) => inReach(actor, row)), next };
  }

  /** All of it, newest first, as of the moment each page is read. */
  async *export(actor: Actor, query: TrailQuery): AsyncGenerator<readonly TrailRow[]> {
    let reading = this.page(actor, query, EXPORT_PAGE_ROWS);
    for (;;) {
      const { rows, next } = await reading;
      if (next !== null) {
        // The store reads while the page before is written; whoever asks on meets what became of it.
        reading = this.page(actor, { ...query, before: next }, EXPORT_PAGE_ROWS);
        reading.catch(ignore);
      }
      yield rows;
      if (next === null) return;
    }
  }
}

export function reachOf({ workspaceIds, secretIds }: Actor): TrailReach {
  return { workspaceIds, secretIds };
}

/** Of an event's secrets a narrowed key sees its own. */
export function inReach({ secretIds }: Actor, row: TrailRow): TrailRow {
  if (secretIds === null) return row;
  const secrets = row.event.secrets.filter((used) => secretIds.includes(used.secretId));
  return { ...row, event: { ...row.event, secrets } };
}

function ignore(): void {}
