/** Master keys on the wire: their ids and how much each of them opens, never a key. */
import { z } from '@hono/zod-openapi';
import { optional } from './fields.ts';

export interface KeyUse {
  readonly keyId: string;
  readonly envelopes: number;
  readonly isHeld: boolean;
  readonly isActive: boolean;
}

export interface RotationProgress {
  readonly keyId: string;
  readonly done: number;
  readonly total: number;
  readonly failed: number;
  readonly isComplete: boolean;
}

/** The vault as the control plane may use it. */
export interface MasterKeys {
  listKeys(): Promise<readonly KeyUse[]>;
  rotate(options: { readonly mint: boolean }): AsyncGenerator<RotationProgress>;
}

export const keyUseSchema = z
  .object({
    key_id: z.string(),
    active: z.boolean().openapi({ description: 'It seals what is new.' }),
    held: z.boolean().openapi({ description: 'It is in the key file, or in the variable.' }),
    envelopes: z.int().openapi({ description: 'Sealed with it. At 0 it can be taken away.' }),
  })
  .openapi('MasterKeyUse');

export const rewrapSchema = z
  .strictObject({
    new_key: optional(z.boolean()).openapi({
      description: 'Make a new key and put it first into the key file.',
    }),
  })
  .openapi('RewrapRequest', {
    example: { new_key: false },
  });

/** One line of the answer. */
export const rewrapProgressSchema = z
  .object({
    key_id: z.string(),
    done: z.int(),
    total: z.int(),
    failed: z.int().openapi({ description: 'They open with no key and stay as they are.' }),
    complete: z.boolean(),
  })
  .openapi('RewrapProgress');

export function describeKeyUse(use: KeyUse): z.infer<typeof keyUseSchema> {
  const { keyId, isActive, isHeld, envelopes } = use;
  return { key_id: keyId, active: isActive, held: isHeld, envelopes };
}

export function describeProgress(progress: RotationProgress): z.infer<typeof rewrapProgressSchema> {
  const { keyId, done, total, failed, isComplete } = progress;
  return { key_id: keyId, done, total, failed, complete: isComplete };
}
