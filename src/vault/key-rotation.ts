/**
 * Replaces the master key while everything runs: reads the key file again, seals from then on with its
 * first key, and seals every older envelope anew. Each batch is whole on disk before the next begins and
 * both keys open meanwhile, so it can be killed anywhere and run again. The key check comes last: until
 * then no start succeeds without the old key.
 */
import { ControlError, StartError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { EnvelopeFault } from './envelope.ts';
import type { EnvelopeStore, SealedPlace } from './envelope-store.ts';
import { addMasterKey, readMasterKeys } from './master-key.ts';
import type { MasterKeySource } from './master-key.ts';
import { CHECK_ITEM } from './open-vault.ts';
import type { Vault } from './vault.ts';

export interface KeyRotationDeps {
  readonly store: EnvelopeStore;
  readonly vault: Vault;
  readonly source: MasterKeySource;
  readonly logger: Logger;
  /** Envelopes of one write: the data plane reads from the same thread. */
  readonly batchRows?: number;
}

export interface KeyUse {
  readonly keyId: string;
  readonly envelopes: number;
  /** It is in the key file (or the variable). */
  readonly isHeld: boolean;
  /** It seals what is new. */
  readonly isActive: boolean;
}

export interface RotationProgress {
  readonly keyId: string;
  readonly done: number;
  readonly total: number;
  /** Envelopes that do not open with any key: left as they are. */
  readonly failed: number;
  readonly isComplete: boolean;
}

const BATCH_ROWS = 100;

export class KeyRotation {
  readonly #deps: KeyRotationDeps;
  #isRunning = false;

  constructor(deps: KeyRotationDeps) {
    this.#deps = deps;
  }

  /** Every key that is held or that something is sealed with; the active one first. */
  async listKeys(): Promise<readonly KeyUse[]> {
    const counts = await this.#deps.store.countEnvelopes();
    const envelopes = new Map(counts.map(({ keyId, count }) => [keyId, count]));
    const active = this.#deps.vault.activeKeyId;
    const held = this.#readKeys().map(({ id }) => id);
    const ids = [...new Set([active, ...held, ...envelopes.keys()])];
    return ids.map((keyId) => ({
      keyId,
      envelopes: envelopes.get(keyId) ?? 0,
      isHeld: held.includes(keyId),
      isActive: keyId === active,
    }));
  }

  /**
   * Yields after every batch. `mint`: a new key becomes the first of the key file before anything else.
   * ControlError `conflict`: another one runs, a needed key is missing, or the file cannot be written.
   */
  async *rotate(options: { readonly mint: boolean }): AsyncGenerator<RotationProgress> {
    if (this.#isRunning) {
      throw new ControlError('conflict', { message: 'The values are being sealed anew already.' });
    }
    this.#isRunning = true;
    try {
      yield* this.#rotate(options.mint);
    } finally {
      this.#isRunning = false;
    }
  }

  async *#rotate(mint: boolean): AsyncGenerator<RotationProgress> {
    const { vault, store } = this.#deps;
    if (mint) this.#mintKey();
    const counts = await store.countEnvelopes();
    vault.useKeys(this.#readKeysFor(counts.map(({ keyId }) => keyId)));
    const keyId = vault.activeKeyId;
    const older = counts.filter((one) => one.keyId !== keyId);
    const total = older.reduce((sum, { count }) => sum + count, 0);
    let done = 0;
    let failed = 0;
    yield { keyId, done, total, failed, isComplete: false };
    // What was being sealed with the old key when this began may be stored behind our back: once more.
    for (let isAgain = true; isAgain;) {
      isAgain = false;
      failed = 0;
      for await (const batch of this.#resealAll(keyId)) {
        done += batch.replaced;
        failed += batch.failed;
        isAgain ||= batch.replaced > 0;
        yield { keyId, done, total: Math.max(total, done), failed, isComplete: false };
      }
    }
    yield { keyId, done, total: Math.max(total, done), failed, isComplete: true };
  }

  async *#resealAll(keyId: string): AsyncGenerator<{ replaced: number; failed: number }> {
    let failed = 0;
    for (const kind of ['version', 'webhook', 'item'] as const) {
      for await (const places of this.#listPages(kind, keyId)) {
        const batch = await this.#reseal(places.filter(({ id }) => id !== CHECK_ITEM));
        failed += batch.failed;
        yield batch;
      }
    }
    // Something still needs the old key: then the next start shall need it too.
    if (failed > 0) return;
    const rest = await this.#deps.store.listEnvelopes('item', keyId, '', 1);
    yield await this.#reseal(rest);
  }

  async *#listPages(
    kind: SealedPlace['kind'],
    keyId: string,
  ): AsyncGenerator<readonly SealedPlace[]> {
    const { store, batchRows = BATCH_ROWS } = this.#deps;
    for (let afterId = ''; ;) {
      const page = await store.listEnvelopes(kind, keyId, afterId, batchRows);
      if (page.length === 0) return;
      yield page;
      afterId = page.at(-1)?.id ?? afterId;
    }
  }

  async #reseal(places: readonly SealedPlace[]): Promise<{ replaced: number; failed: number }> {
    const changes: { place: SealedPlace; sealed: Uint8Array }[] = [];
    let failed = 0;
    for (const place of places) {
      const sealed = this.#resealOne(place);
      if (sealed === undefined) failed += 1;
      else changes.push({ place, sealed });
    }
    if (changes.length === 0) return { replaced: 0, failed };
    return { replaced: await this.#deps.store.replaceEnvelopes(changes), failed };
  }

  #resealOne(place: SealedPlace): Uint8Array | undefined {
    try {
      return this.#deps.vault.reseal(place);
    } catch (error) {
      if (!(error instanceof EnvelopeFault)) throw error;
      const { kind, id } = place;
      this.#deps.logger.error({ kind, id, reason: error.reason }, 'an envelope does not open');
      return undefined;
    }
  }

  #mintKey(): void {
    try {
      addMasterKey(this.#deps.source);
    } catch (error) {
      throw asConflict(error);
    }
  }

  #readKeys() {
    try {
      return readMasterKeys(this.#deps.source, { mayMint: false });
    } catch (error) {
      throw asConflict(error);
    }
  }

  /** Whoever took a key out of the file too early hears it now, not at the next start. */
  #readKeysFor(neededIds: readonly string[]) {
    const keys = this.#readKeys();
    const missing = neededIds.filter(
      (id) => keys.every((key) => key.id !== id) && this.#deps.vault.holdsKey(id),
    );
    if (missing.length === 0) return keys;
    throw new ControlError('conflict', {
      message: `The key file does not hold ${missing.join(', ')}, with which values are sealed. Put it back behind the new key.`,
    });
  }
}

function asConflict(error: unknown): unknown {
  if (!(error instanceof StartError)) return error;
  return new ControlError('conflict', {
    message: `${error.message} ${error.hint}`,
    cause: error,
  });
}
