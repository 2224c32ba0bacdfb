/**
 * A sandbox: a client of the proxy (an agent, a job, a process), what it may reach, and the secrets
 * bound to its environment variables. Pure data. Times are milliseconds since the epoch.
 */
export type SandboxStatus = 'active' | 'paused';
export type Inject = 'auto' | 'placeholder';

/** Entries as the admin wrote them (canonicalized): hosts, `*.suffix`, IPs, CIDRs, each with `:port`. */
export interface NetworkConfig {
  readonly allowOut: readonly string[];
  readonly denyOut: readonly string[];
}

/** How much it may ask for; `null`: as much as it likes. */
export interface SandboxLimits {
  readonly requestsPerMinute: number | null;
  /** Exchanges and tunnels open at once. */
  readonly concurrent: number | null;
}

export interface Sandbox {
  readonly id: string;
  readonly organizationId: string;
  readonly workspaceId: string;
  readonly name: string;
  readonly description: string | null;
  readonly status: SandboxStatus;
  readonly metadata: Readonly<Record<string, string>>;
  readonly network: NetworkConfig;
  readonly envVars: Readonly<Record<string, string>>;
  readonly secretsMode: 'bound' | 'all';
  readonly limits: SandboxLimits;
  readonly interceptAll: boolean;
  readonly sourceCidrs: readonly string[];
  /** Paused after this much time since `armedAtMs`. */
  readonly timeoutSeconds: number | null;
  readonly armedAtMs: number;
  /** Deleted after being paused this long. */
  readonly autoDeleteSeconds: number | null;
  readonly pausedAtMs: number | null;
  /** When auto-delete strikes; set while paused with `autoDeleteSeconds`. */
  readonly autoDeleteAtMs: number | null;
  readonly expiresAtMs: number | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly createdBy: string;
  readonly revision: number;
}

/** sandbox ↔ secret under an environment variable name. Detached ones stay as tombstones. */
export interface Binding {
  readonly id: string;
  readonly organizationId: string;
  readonly sandboxId: string;
  readonly secretId: string;
  readonly envKey: string;
  readonly inject: Inject;
  /** Stored as it is: it opens nothing. */
  readonly placeholder: string;
  readonly createdAtMs: number;
  readonly detachedAtMs: number | null;
  /** Absent: it follows the active version. */
  readonly pinnedVersion?: number;
}

/** A token as stored: its hash and until when it works (`null`: until replaced). */
export interface SandboxToken {
  readonly sandboxId: string;
  readonly organizationId: string;
  readonly tokenHash: string;
  readonly createdAtMs: number;
  readonly validUntilMs: number | null;
}
