/**
 * Signs webhooks: HMAC-SHA256 over `id.timestamp.body`, as Standard Webhooks 1.0 has it. A signing secret is
 * sealed like everything else and opened for the moment of signing.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Vault } from './vault.ts';

const SECRET_BYTES = 32;

interface SealedSecret {
  readonly id: string;
  readonly signingSecret: Uint8Array;
}

interface SignedMessage {
  readonly id: string;
  readonly timestampS: number;
  readonly body: string;
}

/** The name its signing secret is sealed for. */
export function webhookItem(webhookId: string): string {
  return `webhook.${webhookId}`;
}

export class VaultWebhookSigner {
  readonly #vault: Pick<Vault, 'sealItem' | 'openItem'>;

  constructor(vault: Pick<Vault, 'sealItem' | 'openItem'>) {
    this.#vault = vault;
  }

  /** `whsec_` and 32 random bytes in base64, to show once, and the same sealed. */
  mintSecret(webhookId: string): { text: string; sealed: Uint8Array } {
    const bytes = randomBytes(SECRET_BYTES);
    const sealed = this.#vault.sealItem(webhookItem(webhookId), bytes);
    const text = `whsec_${bytes.toString('base64')}`;
    bytes.fill(0);
    return { text, sealed };
  }

  /** Throws EnvelopeFault. */
  sign(webhook: SealedSecret, { id, timestampS, body }: SignedMessage): string {
    const key = this.#vault.openItem(webhookItem(webhook.id), webhook.signingSecret);
    const signature = createHmac('sha256', key)
      .update(`${id}.${timestampS}.${body}`)
      .digest('base64');
    key.fill(0);
    return `v1,${signature}`;
  }
}
