/**
 * Who asks: the organization acted on, the role, and the name that goes into `created_by`. Made from an
 * API key by `ApiKeyService`; every service takes one and looks things up inside its organization only.
 */
import type { Role } from './organization.ts';

export interface Actor {
  readonly organizationId: string;
  readonly apiKeyId: string;
  readonly role: Role;
  /** `user:NAME` or `serviceaccount:NAME`. */
  readonly subject: string;
  /** Narrowed to these workspaces; `null`: all. */
  readonly workspaceIds: readonly string[] | null;
  /** Narrowed to these secrets; `null`: all. */
  readonly secretIds: readonly string[] | null;
}
