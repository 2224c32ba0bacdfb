/**
 * API keys of the control plane: who shows one, minting, listing, deleting. Keys are random, shown once,
 * stored as SHA-256. Unknown keys are slowed per address; valid ones never.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeedRecorder } from '../activity/activity-journal.ts';
import { showApiKey } from '../activity/shown-fields.ts';
import type { Clock } from '../kernel/clock.ts';
import { ControlError } from '../kernel/errors.ts';
import { fieldError } from '../kernel/field-error.ts';
import { hashToken, mintId, mintToken } from '../kernel/ids.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Actor } from './actor.ts';
import { KeyUseBook } from './key-use-book.ts';
import type { OrganizationStore } from './organization-store.ts';
import type { ApiKey, Role } from './organization.ts';
import { checkRole, isKeyInReach, isSecretInReach, isWorkspaceInReach } from './roles.ts';
import { UnknownKeyWatch } from './unknown-key-watch.ts';

export interface ApiKeyInput {
  readonly name: string;
  readonly role: Role;
  readonly subject: string | undefined;
  /** Ids or names. */
  readonly workspaces: readonly string[] | undefined;
  /** Ids or names. */
  readonly secretIds: readonly string[] | undefined;
  readonly expiresAtMs: number | undefined;
}

/** Of a secret that is there; `undefined`: none has that id or name. */
export type SecretIdReader = (
  organizationId: string,
  idOrName: string,
) => Promise<string | undefined>;

export interface ApiKeyServiceDeps {
  readonly store: OrganizationStore;
  readonly readSecretId: SecretIdReader;
  readonly activity: DeedRecorder;
  readonly clock: Clock;
  readonly logger: Logger;
}

const KEY_PREFIX_CHARS = 12;
/** Refusals held back at once; beyond, guessing is answered at once with 429 and holds no connection. */
const HELD_REFUSALS_MAX = 64;

export class ApiKeyService {
  readonly #store: OrganizationStore;
  readonly #readSecretId: SecretIdReader;
  readonly #clock: Clock;
  readonly #activity: DeedRecorder;
  readonly #uses: KeyUseBook;
  readonly #unknown: UnknownKeyWatch;
  #heldRefusals = 0;

  constructor(deps: ApiKeyServiceDeps) {
    this.#store = deps.store;
    this.#readSecretId = deps.readSecretId;
    this.#clock = deps.clock;
    this.#activity = deps.activity;
    this.#uses = new KeyUseBook(deps.store, deps.logger);
    this.#unknown = new UnknownKeyWatch(deps.clock);
  }

  /**
   * The actor behind a key. `organization` (id or name) is what a root key acts on; other keys may only
   * name their own. ControlError `auth_failed` (late, for an address that keeps guessing) or `forbidden`.
   */
  async authenticate(
    key: string | null,
    address: string,
    organization: string | null,
  ): Promise<Actor> {
    const found = key === null ? undefined : await this.#store.readApiKeyByHash(hashToken(key));
    const nowMs = this.#clock.nowMs();
    if (found === undefined || (found.expiresAtMs !== null && found.expiresAtMs <= nowMs)) {
      if (key !== null) await this.#holdBack(this.#unknown.noteUnknown(address));
      throw new ControlError('auth_failed');
    }
    this.#uses.note(found.id, nowMs);
    return {
      organizationId: await this.#organizationOf(found, organization),
      apiKeyId: found.id,
      role: found.role,
      subject: found.subject,
      workspaceIds: found.workspaceIds,
      secretIds: found.secretIds,
    };
  }

  /**
   * The new key in clear: the only time it is. A narrowed key makes keys that reach no further than itself.
   */
  async create(actor: Actor, input: ApiKeyInput): Promise<{ apiKey: ApiKey; key: string }> {
    checkRole(actor, 'administer');
    if (input.role === 'root') checkRole(actor, 'instance');
    const key = mintToken('sp_live_');
    const apiKey: ApiKey = {
      id: mintId(),
      organizationId: actor.organizationId,
      name: input.name,
      role: input.role,
      subject: input.subject ?? `serviceaccount:${input.name}`,
      keyHash: hashToken(key),
      keyPrefix: key.slice(0, KEY_PREFIX_CHARS),
      workspaceIds: await this.#workspaceIds(actor, input.workspaces),
      secretIds: await this.#secretIds(actor, input.secretIds),
      createdAtMs: this.#clock.nowMs(),
      createdBy: actor.subject,
      expiresAtMs: input.expiresAtMs ?? null,
      lastUsedAtMs: null,
    };
    await this.#store.insertApiKey(apiKey);
    await this.#activity.recordDone(actor, {
      action: 'api_key.create',
      targetId: apiKey.id,
      targetName: apiKey.name,
      before: null,
      after: showApiKey(apiKey),
    });
    return { apiKey, key };
  }

  async list(actor: Actor): Promise<readonly ApiKey[]> {
    checkRole(actor, 'administer');
    const keys = await this.#store.listApiKeys(actor.organizationId);
    return keys
      .filter((key) => isKeyInReach(actor, key))
      .map((key) => ({ ...key, lastUsedAtMs: this.#lastUsedAtMs(key) }));
  }

  /** The key behind each subject (the oldest, where several share one), to show who made what. */
  async readSubjects(actor: Actor): Promise<ReadonlyMap<string, Pick<ApiKey, 'id' | 'name'>>> {
    checkRole(actor, 'read');
    const keys = await this.#store.listApiKeys(actor.organizationId);
    return new Map(keys.toReversed().map(({ subject, id, name }) => [subject, { id, name }]));
  }

  /** ControlError `not_found`, or `conflict` for the last admin key. */
  async delete(actor: Actor, id: string): Promise<void> {
    const found = (await this.list(actor)).find((key) => key.id === id);
    if (found?.role === 'root') checkRole(actor, 'instance');
    if (found === undefined || !(await this.#store.deleteApiKey(actor.organizationId, id))) {
      throw new ControlError('not_found');
    }
    await this.#activity.recordDone(actor, {
      action: 'api_key.delete',
      targetId: id,
      targetName: found.name,
      before: showApiKey(found),
      after: null,
    });
  }

  /** Writes what is still in memory. */
  async close(): Promise<void> {
    await this.#uses.close();
  }

  async #holdBack(delayMs: number): Promise<void> {
    if (delayMs === 0) return;
    if (this.#heldRefusals >= HELD_REFUSALS_MAX) {
      throw new ControlError('rate_limited', { retryAfterS: Math.ceil(delayMs / 1_000) });
    }
    this.#heldRefusals += 1;
    try {
      await sleep(delayMs);
    } finally {
      this.#heldRefusals -= 1;
    }
  }

  #lastUsedAtMs(key: ApiKey): number | null {
    const pending = this.#uses.pendingOf(key.id);
    if (pending === null) return key.lastUsedAtMs;
    return Math.max(pending, key.lastUsedAtMs ?? 0);
  }

  async #organizationOf(key: ApiKey, named: string | null): Promise<string> {
    if (named === null || named === key.organizationId) return key.organizationId;
    const organization = await this.#store.readOrganization(named);
    if (organization?.id === key.organizationId) return key.organizationId;
    // Foreign and unknown are one answer: the header must not tell which organizations exist.
    if (key.role !== 'root' || organization === undefined) throw new ControlError('forbidden');
    return organization.id;
  }

  async #workspaceIds(
    actor: Actor,
    named: readonly string[] | undefined,
  ): Promise<readonly string[] | null> {
    if (named === undefined) return actor.workspaceIds;
    const ids: string[] = [];
    for (const [index, name] of named.entries()) {
      const workspace = await this.#store.readWorkspace(actor.organizationId, name);
      if (workspace === undefined || !isWorkspaceInReach(actor, workspace.id)) {
        throw fieldError(`workspaces[${index}]`, 'there is no workspace of that id or name');
      }
      ids.push(workspace.id);
    }
    return ids;
  }

  async #secretIds(
    actor: Actor,
    named: readonly string[] | undefined,
  ): Promise<readonly string[] | null> {
    if (named === undefined) return actor.secretIds;
    const ids: string[] = [];
    for (const [index, one] of named.entries()) {
      const id = await this.#readSecretId(actor.organizationId, one);
      if (id === undefined || !isSecretInReach(actor, id)) {
        throw fieldError(`secret_ids[${index}]`, 'there is no secret of that id or name');
      }
      ids.push(id);
    }
    return ids;
  }
}
