/**
 * Storage contract of every envelope there is, whatever it is part of: counted by the master key it was
 * sealed with, listed and put in place again when that key is replaced. Knows bytes, opens nothing.
 */
/**
 * `version`: the value of a secret's version; `webhook`: a signing secret; `item`: a sealed item of the
 * instance, `id` its name.
 */
export interface SealedPlace {
  readonly kind: 'version' | 'webhook' | 'item';
  readonly id: string;
  /** Empty but of a version. */
  readonly organizationId: string;
  readonly secretId: string;
  readonly sealed: Uint8Array;
}

export interface EnvelopeCount {
  /** Of the master key, 16 hex digits. */
  readonly keyId: string;
  readonly count: number;
}

export interface EnvelopeStore {
  /** Visits every envelope. */
  countEnvelopes(): Promise<readonly EnvelopeCount[]>;
  /** Not sealed with `keyId`, ascending by id from behind `afterId`. */
  listEnvelopes(
    kind: SealedPlace['kind'],
    keyId: string,
    afterId: string,
    limit: number,
  ): Promise<readonly SealedPlace[]>;
  /**
   * Puts each new envelope where exactly the old one still is. How many it put; on disk when it resolves.
   */
  replaceEnvelopes(
    changes: readonly { readonly place: SealedPlace; readonly sealed: Uint8Array }[],
  ): Promise<number>;
}
