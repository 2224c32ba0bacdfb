/**
 * Proof of permission: the only thing that opens a value (I2). A permit can be made nowhere but in
 * `decide-exchange.ts` and `decide-parent.ts` (a house test holds the call), for one secret version and one
 * request of one sandbox, or one CONNECT of ours. It carries what the audit needs and nothing secret.
 */
import type { SealedVersion } from '../secrets/secret.ts';

export interface PermitScope {
  readonly organizationId: string;
  readonly sandboxId: string;
  readonly secretId: string;
  readonly version: SealedVersion;
  readonly host: string;
  readonly port: number;
  readonly method: string;
  readonly path: string;
}

export class Permit {
  readonly scope: PermitScope;
  /** Makes the class nominal: an object of the same shape is not a Permit. */
  readonly #proof = true;

  private constructor(scope: PermitScope) {
    this.scope = scope;
  }

  /** For `decide-exchange.ts` and `decide-parent.ts` only. */
  static grant(scope: PermitScope): Permit {
    return new Permit(scope);
  }

  /** True for a permit that `grant` made; a forged object throws or is false. */
  static isGenuine(candidate: Permit): boolean {
    return #proof in candidate && candidate.#proof;
  }
}
