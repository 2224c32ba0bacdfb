/**
 * The secrets of an organization as its sandboxes with `secrets_mode: all` may use them, compiled once and
 * shared by all of one workspace. A change reads what changed and nothing else, so that ten thousand
 * secrets cost one look-up by host on a request. Bounded; too many secrets are an error, never a part.
 */
import { BoundedMap } from '../kernel/bounded-map.ts';
import { ControlError } from '../kernel/errors.ts';
import { FIXED } from '../kernel/limits.ts';
import { buildBindingIndex, type BindingIndex } from './binding-index.ts';
import type { BoundSecret, PolicyStore } from './policy-store.ts';
import { compileBinding, isAllowedIn } from './snapshot-compile.ts';
import type { CompiledBinding } from './snapshot.ts';

/** What the sandboxes of one workspace share. */
export interface SharedBindings {
  readonly bindings: readonly CompiledBinding[];
  readonly index: BindingIndex;
}

interface Entry {
  readonly bound: BoundSecret;
  readonly compiled: CompiledBinding;
}

type Reads = Pick<PolicyStore, 'listPlacedSecrets' | 'readPlacedSecrets'>;

export class OrganizationSecrets {
  readonly #store: Reads;
  readonly #sets = new BoundedMap<string, SecretSet>(FIXED.organizationsInAllModeMax);

  constructor(store: Reads) {
    this.#store = store;
  }

  /** As of every change announced before it resolves. Rejects when the store does. */
  read(organizationId: string, workspaceId: string): Promise<SharedBindings> {
    let set = this.#sets.get(organizationId);
    if (set === undefined) {
      set = new SecretSet(this.#store, organizationId);
      this.#sets.set(organizationId, set);
    }
    return set.read(workspaceId);
  }

  /** That secret was made, changed or deleted. */
  outdate(organizationId: string, secretId: string): void {
    this.#sets.get(organizationId)?.outdate(secretId);
  }

  /** Any of them may have been. */
  clear(): void {
    this.#sets.clear();
  }
}

class SecretSet {
  readonly #store: Reads;
  readonly #organizationId: string;
  readonly #entries = new Map<string, Entry>();
  readonly #outdated = new Set<string>();
  readonly #shared = new Map<string, SharedBindings>();
  #isRead = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: Reads, organizationId: string) {
    this.#store = store;
    this.#organizationId = organizationId;
  }

  outdate(secretId: string): void {
    this.#outdated.add(secretId);
    this.#shared.clear();
  }

  /** One read after another, each current when it resolves. */
  read(workspaceId: string): Promise<SharedBindings> {
    const turn = this.#last.then(() => this.#readNow(workspaceId));
    this.#last = turn.catch(() => {
      // What is known may be half: whoever waits next reads everything.
      this.#isRead = false;
    });
    return turn;
  }

  async #readNow(workspaceId: string): Promise<SharedBindings> {
    if (!this.#isRead) await this.#readAll();
    while (this.#outdated.size > 0) await this.#readOutdated();
    let shared = this.#shared.get(workspaceId);
    if (shared === undefined) {
      shared = this.#share(workspaceId);
      this.#shared.set(workspaceId, shared);
    }
    return shared;
  }

  /** In pages: a change in between is announced, and read again. */
  async #readAll(): Promise<void> {
    this.#entries.clear();
    this.#shared.clear();
    for (let afterId = ''; ;) {
      const page = await this.#store.listPlacedSecrets(
        this.#organizationId,
        afterId,
        FIXED.storeBatchRowsMax,
      );
      for (const bound of page) this.#keep(bound);
      if (page.length < FIXED.storeBatchRowsMax) break;
      afterId = page.at(-1)?.secret.id ?? '';
    }
    this.#isRead = true;
  }

  async #readOutdated(): Promise<void> {
    const ids = [...this.#outdated].slice(0, FIXED.storeBatchRowsMax);
    for (const id of ids) this.#outdated.delete(id);
    const found = await this.#store.readPlacedSecrets(this.#organizationId, ids);
    for (const id of ids) this.#entries.delete(id);
    for (const bound of found) this.#keep(bound);
    this.#shared.clear();
  }

  #keep(bound: BoundSecret): void {
    const { secret } = bound;
    this.#entries.set(secret.id, { bound, compiled: compileBinding(bound, null) });
    if (this.#entries.size > FIXED.secretsInAllModeMax) {
      throw new ControlError('conflict', {
        message: `This organization has more than ${FIXED.secretsInAllModeMax} secrets, too many for secrets_mode all.`,
      });
    }
  }

  #share(workspaceId: string): SharedBindings {
    const bindings: CompiledBinding[] = [];
    for (const { bound, compiled } of this.#entries.values()) {
      if (isAllowedIn(bound.secret, workspaceId)) bindings.push(compiled);
    }
    return { bindings, index: buildBindingIndex(bindings) };
  }
}
