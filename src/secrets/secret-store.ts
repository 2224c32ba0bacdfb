/**
 * Storage contract of secrets and their versions. Every look-up is by (organization, key), so that "not
 * yours" and "not there" are one answer. Each method is one transaction. Implemented in `src/store`; the
 * suite in `test/contract` runs against every real database.
 */
import type { SecretHealth } from './secret-health.ts';
import type { Secret, SealedVersion } from './secret.ts';

export interface SecretFilter {
  /** Case-insensitive substring of the name or description. */
  readonly q?: string;
  readonly provider?: string;
  /** A host pattern the secret lists, exact spelling. */
  readonly host?: string;
  /** Not used since this time (or never). */
  readonly unusedSinceMs?: number;
  /** Also secrets without auth. Default false. */
  readonly includeUnplaced?: boolean;
  readonly limit?: number;
  /** Position after which to go on: `(createdAtMs, id)` of the last row seen, newest first. */
  readonly after?: { readonly createdAtMs: number; readonly id: string };
}

export interface SecretUsage {
  readonly lastUsedAtMs: number | null;
  readonly lastAnsweredAtMs: number | null;
}

export interface SecretRow {
  readonly secret: Secret;
  readonly usage: SecretUsage;
  /** Of the active version. */
  readonly health: SecretHealth;
}

export interface VersionRow {
  readonly id: string;
  readonly version: number;
  readonly createdAtMs: number;
  readonly createdBy: string;
  readonly active: boolean;
  readonly lastUsedAtMs: number | null;
  /** Requests decided since the secret's last rotation that carried this version. */
  readonly requestsSinceRotation: number;
  readonly health: SecretHealth;
  /** The value is gone for good: retention took it. */
  readonly isDestroyed: boolean;
  /** Attached bindings that stay with it. */
  readonly pins: number;
}

/** A sandbox that binds a secret, for `GET /secrets/{name}/sandboxes`. */
export interface SecretBindingRow {
  readonly sandboxId: string;
  readonly sandboxName: string;
  readonly envKey: string;
  readonly sandboxStatus: 'active' | 'paused';
}

export interface SecretStore {
  /** Rejects with ControlError `conflict` when the name is taken in the organization. */
  insertSecret(secret: Secret, version: SealedVersion): Promise<void>;
  readSecret(organizationId: string, name: string): Promise<SecretRow | undefined>;
  readSecretById(organizationId: string, id: string): Promise<SecretRow | undefined>;
  /** Newest first, ties by insertion (latest inserted first). Deleted ones are absent. */
  listSecrets(organizationId: string, filter: SecretFilter): Promise<readonly SecretRow[]>;
  /**
   * Replaces the row if `secret.revision - 1` is the stored revision, adding `version` when given;
   * false when somebody else was faster or it is gone, or its active version has no value any more.
   */
  updateSecret(secret: Secret, version: SealedVersion | null): Promise<boolean>;
  /** Marks it deleted and destroys the sealed values; the row stays for audit. False when not there. */
  deleteSecret(organizationId: string, id: string, atMs: number): Promise<boolean>;
  /** Newest first. */
  listVersions(organizationId: string, secretId: string): Promise<readonly VersionRow[]>;
  /**
   * Destroys the values of all but the newest `kept`; the active one, the one of an overlap and those
   * that an attached binding stays with are kept beside them. How many it destroyed; rows stay.
   */
  destroyOldVersions(organizationId: string, secretId: string, kept: number): Promise<number>;
  readVersion(
    organizationId: string,
    secretId: string,
    version: number,
  ): Promise<SealedVersion | undefined>;
  listBindingsOfSecret(
    organizationId: string,
    secretId: string,
  ): Promise<readonly SecretBindingRow[]>;
  /** Sandboxes whose policy depends on this secret (bindings, attached or detached). */
  listSandboxIdsOfSecret(organizationId: string, secretId: string): Promise<readonly string[]>;
}
