/**
 * Tenants: organizations, their workspaces (groups of sandboxes) and their API keys. Pure data.
 */
export interface Organization {
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
}

export interface Workspace {
  readonly id: string;
  readonly organizationId: string;
  readonly name: string;
  readonly createdAtMs: number;
}

export type Role = 'root' | 'admin' | 'operator' | 'viewer';

export interface ApiKey {
  readonly id: string;
  readonly organizationId: string;
  readonly name: string;
  readonly role: Role;
  /** `user:NAME` or `serviceaccount:NAME`. */
  readonly subject: string;
  readonly keyHash: string;
  /** First characters, to recognize it in a list. */
  readonly keyPrefix: string;
  /** Workspace ids it is narrowed to; `null`: all. */
  readonly workspaceIds: readonly string[] | null;
  /** Secret ids it is narrowed to; `null`: all. */
  readonly secretIds: readonly string[] | null;
  readonly createdAtMs: number;
  readonly createdBy: string;
  readonly expiresAtMs: number | null;
  readonly lastUsedAtMs: number | null;
}
