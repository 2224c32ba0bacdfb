/** Storage contract of organizations, workspaces and API keys. */
import type { ApiKey, Organization, Workspace } from './organization.ts';

export interface OrganizationStore {
  /** Rejects with ControlError `conflict` when the name is taken. Also inserts the first workspace. */
  insertOrganization(organization: Organization, workspace: Workspace): Promise<void>;
  /** By id or name. */
  readOrganization(idOrName: string): Promise<Organization | undefined>;
  listOrganizations(): Promise<readonly Organization[]>;
  /**
   * With everything in it; the audit rows stay. The ids of the sandboxes that went, `undefined` when it is
   * not there.
   */
  deleteOrganization(id: string): Promise<readonly string[] | undefined>;
  listWorkspaces(organizationId: string): Promise<readonly Workspace[]>;
  /** By id or name. */
  readWorkspace(organizationId: string, idOrName: string): Promise<Workspace | undefined>;
  /** ControlError `conflict` when the name is taken in the organization. */
  insertWorkspace(workspace: Workspace): Promise<void>;
  /**
   * Also out of the lists of secrets, where an empty one becomes `NONE`. ControlError `conflict` while a
   * sandbox is in it, or when it is the last one; false when not there.
   */
  deleteWorkspace(organizationId: string, id: string): Promise<boolean>;
  insertApiKey(key: ApiKey): Promise<void>;
  /** The one look-up that is not by organization: the hash is what names it. Expired ones are returned. */
  readApiKeyByHash(keyHash: string): Promise<ApiKey | undefined>;
  listApiKeys(organizationId: string): Promise<readonly ApiKey[]>;
  /** ControlError `conflict` for the last admin key of the organization; false when not there. */
  deleteApiKey(organizationId: string, id: string): Promise<boolean>;
  touchApiKeys(uses: readonly { readonly id: string; readonly atMs: number }[]): Promise<void>;
}
