/**
 * Storage contract of groups of secrets. Look-ups are by (organization, key); each method is one
 * transaction, so a group and its secrets change together or not at all.
 */
import type { VersionRow } from '../secrets/secret-store.ts';
import type { SealedVersion, Secret } from '../secrets/secret.ts';
import type { SecretGroup } from './secret-group.ts';

export interface NewSecret {
  readonly secret: Secret;
  readonly version: SealedVersion;
}

export interface ChangedSecret {
  readonly secret: Secret;
  readonly version: SealedVersion | null;
}

/** A group as it shall be, and what happens to its secrets. */
export interface GroupWrite {
  /** `revision` is one more than the stored one. */
  readonly group: SecretGroup;
  readonly inserted: readonly NewSecret[];
  /** Each with `revision` one more than the stored one. */
  readonly updated: readonly ChangedSecret[];
  readonly deletedIds: readonly string[];
  readonly atMs: number;
}

export interface GroupFilter {
  /** Only groups whose manifest names this subject. */
  readonly subject?: string;
  readonly name?: string;
  /** Case-insensitive part of the name. */
  readonly search?: string;
  readonly limit: number;
  readonly offset: number;
}

export interface MemberFilter {
  readonly groupIds?: readonly string[];
  /** Only secrets in no group. */
  readonly isUngrouped?: boolean;
  readonly ids?: readonly string[];
  readonly names?: readonly string[];
  /** Only secrets in no group, or in a group whose manifest names this subject. */
  readonly subject?: string;
  readonly limit?: number;
  readonly offset?: number;
}

/** A secret as the façade of groups sees it. */
export interface Member {
  readonly secret: Secret;
  /** `null`: in no group. */
  readonly groupId: string | null;
  /** Those that still have a value, oldest first. */
  readonly versions: readonly Pick<VersionRow, 'id' | 'version' | 'createdAtMs' | 'active'>[];
  readonly boundSandboxes: number;
}

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** How many there are without `limit` and `offset`. */
  readonly total: number;
}

export interface GroupStore {
  /** ControlError `conflict` when the name of the group or of a secret is taken. */
  insertGroup(group: SecretGroup, secrets: readonly NewSecret[]): Promise<void>;
  readGroup(organizationId: string, id: string): Promise<SecretGroup | undefined>;
  readGroupByName(organizationId: string, name: string): Promise<SecretGroup | undefined>;
  /** Newest first. */
  listGroups(organizationId: string, filter: GroupFilter): Promise<Page<SecretGroup>>;
  /** False, with nothing written, when somebody else was faster. */
  writeGroup(write: GroupWrite): Promise<boolean>;
  /** Deletes its secrets too; their ids. `undefined` when it is not there. */
  deleteGroup(
    organizationId: string,
    id: string,
    atMs: number,
  ): Promise<readonly string[] | undefined>;
  /** In order of creation. Deleted secrets are absent. */
  listMembers(organizationId: string, filter: MemberFilter): Promise<Page<Member>>;
}
