/**
 * In which workspaces secrets may be used, as of a document: the server refuses a binding elsewhere, so a
 * plan has to know before. Workspaces by id or by name. Pure.
 */
import type { BulkSecret } from '../../admin-api/contract/bulk-document.ts';
import type { BulkState } from './state.ts';

/** What the server takes where a sandbox names no workspace. */
const DEFAULT_WORKSPACE = 'default';

export class WorkspaceUse {
  readonly #names: ReadonlyMap<string, string>;
  /** Names of the workspaces; `null`: every one. */
  readonly #allowed = new Map<string, ReadonlySet<string> | null>();

  /** `secrets`: what the document says of them, before which comes what there is. */
  constructor(
    state: Pick<BulkState, 'workspaces' | 'secrets'>,
    secrets: readonly BulkSecret[] = [],
  ) {
    this.#names = new Map(state.workspaces.map(({ id, name }) => [id, name]));
    for (const {
      name,
      allowed_workspaces_type: type,
      allowed_workspaces: list,
    } of state.secrets.values()) {
      this.#allowed.set(name, this.#setOf(type, list));
    }
    for (const { name, allowed_workspaces_type, allowed_workspaces } of secrets) {
      const before = state.secrets.get(name);
      const type = allowed_workspaces_type ?? before?.allowed_workspaces_type ?? 'ALL';
      const list = allowed_workspaces ?? before?.allowed_workspaces ?? [];
      this.#allowed.set(name, this.#setOf(type, list));
    }
  }

  /** The workspace a sandbox is in, by name. */
  nameOf(workspace: string | undefined): string {
    const named = workspace?.trim() ?? DEFAULT_WORKSPACE;
    return this.#names.get(named) ?? named;
  }

  /** True also of a secret that is not there. */
  isAllowed(secretName: string, workspace: string | undefined): boolean {
    const allowed = this.#allowed.get(secretName) ?? null;
    return allowed === null || allowed.has(this.nameOf(workspace));
  }

  #setOf(type: string, list: readonly string[]): ReadonlySet<string> | null {
    if (type === 'ALL') return null;
    return new Set(type === 'SOME' ? list.map((one) => this.nameOf(one)) : []);
  }
}
