/**
 * A group of secrets: a name under which keys are written together, and who else may do so. Its secrets
 * are ordinary secrets called `GROUP:KEY`. Pure data; times are milliseconds since the epoch.
 */
export const GROUP_ROLES = [
  'secret-group-viewer',
  'secret-group-editor',
  'secret-group-admin',
] as const;

/** From the least to the most. */
export type GroupRole = (typeof GROUP_ROLES)[number];

export interface Collaborator {
  /** `user:NAME`, `team:NAME` or `serviceaccount:NAME`: the subject of an API key. */
  readonly subject: string;
  readonly role: GroupRole;
}

/** The declarative description that was last put. Kept and shown; only the collaborators decide. */
export interface GroupManifest {
  readonly name: string;
  readonly integrationFqn: string | null;
  readonly collaborators: readonly Collaborator[] | null;
  readonly ownerAccount: string | null;
}

export interface SecretGroup {
  readonly id: string;
  readonly organizationId: string;
  readonly name: string;
  readonly integrationId: string | null;
  readonly manifest: GroupManifest | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly createdBy: string;
  /** Optimistic concurrency: a write names the revision it was computed from. */
  readonly revision: number;
}
