/**
 * What an admin says about a secret, as the services take it: every field optional, `undefined` means it
 * was not said. The name and the actor travel beside it.
 */
import type { Hidden } from '../kernel/hidden.ts';
import type { Auth } from './auth.ts';
import type { AllowedWorkspacesType, OnExisting } from './secret.ts';

export interface SecretInput {
  readonly value?: Hidden | undefined;
  /** How long the version before may step in (see `VersionOverlap`); 0 without a value ends it now. */
  readonly overlapSeconds?: number | undefined;
  /** An empty text clears it. */
  readonly description?: string | undefined;
  readonly provider?: string | undefined;
  readonly providerParams?: Readonly<Record<string, string>> | undefined;
  readonly auth?: Auth | undefined;
  readonly hosts?: readonly string[] | undefined;
  readonly ports?: readonly number[] | undefined;
  /** An empty list: every method. */
  readonly methods?: readonly string[] | undefined;
  /** An empty list: every path. */
  readonly paths?: readonly string[] | undefined;
  readonly priority?: number | undefined;
  readonly onExisting?: OnExisting | undefined;
  readonly alsoStrip?:
    | { readonly headers: readonly string[]; readonly query: readonly string[] }
    | undefined;
  readonly companionHeaders?: Readonly<Record<string, string>> | undefined;
  readonly maskResponses?: boolean | undefined;
  readonly allowPlaintext?: boolean | undefined;
  readonly allowedWorkspacesType?: AllowedWorkspacesType | undefined;
  /** Ids or names; the service looks them up. */
  readonly allowedWorkspaces?: readonly string[] | undefined;
  readonly disabled?: boolean | undefined;
  /** `null` clears it. */
  readonly expiresAtMs?: number | null | undefined;
}
