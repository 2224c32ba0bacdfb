/**
 * What admins do meanwhile: rotations, which nobody may feel, and, to the clients set aside for it,
 * detaching, pausing, deleting and attaching again, after which they must work as before.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Product } from '../support/product.ts';
import type { SoakClient } from './soak-client.ts';
import type { SoakLedger } from './soak-ledger.ts';

/** A moment for what was cut to be noticed by its client. */
const FELT_MS = 1_500;

export interface DisturbedClient {
  readonly client: SoakClient;
  readonly sandboxId: string;
}

export class SoakChaos {
  readonly #product: Product;
  readonly #ledger: SoakLedger;
  #stopped = false;
  rotations = 0;
  revocations = 0;

  constructor(product: Product, ledger: SoakLedger) {
    this.#product = product;
    this.#ledger = ledger;
  }

  stop(): void {
    this.#stopped = true;
  }

  async rotate(everyMs: number): Promise<void> {
    while (!this.#stopped) {
      const index = Math.floor(Math.random() * this.#ledger.secrets.length);
      const value = this.#ledger.mintNext(index);
      const name = this.#ledger.secrets[index]?.name ?? '';
      await this.#product.admin.must('PATCH', `/secrets/${name}`, { value });
      this.#ledger.acknowledge(index);
      this.rotations += 1;
      // The answers are not what is examined, and they would fill the memory.
      this.#product.admin.transcript.length = 0;
      await delay(everyMs);
    }
  }

  async disturb(disturbed: readonly DisturbedClient[], everyMs: number): Promise<void> {
    for (let turn = 0; !this.#stopped && disturbed.length > 0; turn += 1) {
      const one = disturbed[turn % disturbed.length];
      if (one !== undefined) await this.#disturbOne(one, turn % 2 === 0 ? 'detach' : 'pause');
      this.revocations += 1;
      await delay(everyMs);
    }
  }

  async #disturbOne(
    { client, sandboxId }: DisturbedClient,
    how: 'detach' | 'pause',
  ): Promise<void> {
    const { admin } = this.#product;
    const path = `/sandboxes/${sandboxId}`;
    client.disturbances += 1;
    try {
      await delay(10);
      if (how === 'pause') {
        await admin.must('POST', `${path}/pause`);
        await delay(100);
        await admin.must('POST', `${path}/resume`);
      } else {
        await admin.must('DELETE', `${path}/secrets/KEY`);
        await delay(100);
        const secret = this.#ledger.secrets[client.plan.secret]?.name;
        await admin.must('POST', `${path}/secrets`, { env_key: 'KEY', secret_name: secret });
      }
      await delay(FELT_MS);
    } finally {
      client.disturbances -= 1;
    }
  }
}
