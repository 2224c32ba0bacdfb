/**
 * A secret: a named credential of an organization, with auth rules, hosts and versions. Pure data; the
 * value is never here, only in sealed versions. Times are milliseconds since the epoch.
 */
import type { Auth } from './auth.ts';

export type OnExisting = 'replace' | 'keep';
export type AllowedWorkspacesType = 'ALL' | 'SOME' | 'NONE';

/** The part of a secret an admin describes; everything here can be changed by PATCH. */
export interface SecretDefinition {
  readonly description: string | null;
  /** `null`: stored without auth (through a façade), not usable yet. */
  readonly auth: Auth | null;
  /** Canonical host patterns: exact names, single-label wildcards, IPv4 literals. */
  readonly hosts: readonly string[];
  readonly ports: readonly number[];
  /** Catalogue entry this came from; `null` when none, or after auth or hosts were changed by hand. */
  readonly provider: string | null;
  readonly providerParams: Readonly<Record<string, string>>;
  /** Exact method tokens; `null`: every method. */
  readonly methods: readonly string[] | null;
  /** Path patterns; `null`: every path. */
  readonly paths: readonly string[] | null;
  readonly priority: number;
  readonly onExisting: OnExisting;
  /** Other places this provider accepts credentials in: stripped, never set. */
  readonly alsoStrip: { readonly headers: readonly string[]; readonly query: readonly string[] };
  /** Header name → value, added only where the client sent none. */
  readonly companionHeaders: Readonly<Record<string, string>>;
  readonly maskResponses: boolean;
  readonly allowPlaintext: boolean;
  readonly allowedWorkspacesType: AllowedWorkspacesType;
  /** Workspace ids; meaningful for `SOME`. */
  readonly allowedWorkspaces: readonly string[];
  readonly disabled: boolean;
  readonly expiresAtMs: number | null;
}

/** The version that was active before a rotation that asked for it, and until when it may step in. */
export interface VersionOverlap {
  readonly versionId: string;
  readonly version: number;
  readonly endsAtMs: number;
}

export interface Secret extends SecretDefinition {
  readonly id: string;
  readonly organizationId: string;
  readonly name: string;
  /** Number of the active version, from 1. */
  readonly version: number;
  readonly activeVersionId: string;
  /** The highest number ever given; above `version` after a rollback. */
  readonly highestVersion: number;
  /** How many times the active version was set: what counts since the last time names it. */
  readonly rotation: number;
  /** `null`: the last rotation asked for none, or it was taken back. Its end may have passed. */
  readonly overlap: VersionOverlap | null;
  /** Versions before it were never given for where the secret goes now, so nothing may use them. */
  readonly oldestUsableVersion: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** When the active version became it, by a new value or a rollback. */
  readonly rotatedAtMs: number;
  readonly createdBy: string;
  readonly updatedBy: string;
  /** Optimistic concurrency: a write names the revision it was computed from. */
  readonly revision: number;
}

/** A value as stored: an envelope of `src/vault`, opaque to everyone else. */
export interface SealedVersion {
  readonly id: string;
  readonly organizationId: string;
  readonly secretId: string;
  readonly version: number;
  readonly sealed: Uint8Array;
  readonly createdAtMs: number;
  readonly createdBy: string;
}
