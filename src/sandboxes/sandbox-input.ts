/**
 * What an admin says about a sandbox, as the service takes it. `undefined`: not said. Pure data.
 */
import type { Inject } from './sandbox.ts';

export interface NetworkInput {
  readonly allowOut?: readonly string[] | undefined;
  readonly denyOut?: readonly string[] | undefined;
}

/** `undefined`: not said; `null`: no limit. */
export interface LimitsInput {
  readonly requestsPerMinute?: number | null | undefined;
  readonly concurrent?: number | null | undefined;
}

export interface SandboxInput {
  readonly name: string;
  readonly description?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Environment variable → name of a secret. */
  readonly secrets?: Readonly<Record<string, string>> | undefined;
  readonly network?: NetworkInput | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly autoDeleteSeconds?: number | undefined;
  readonly envVars?: Readonly<Record<string, string>> | undefined;
  /** Id or name; absent: the default workspace. */
  readonly workspace?: string | undefined;
  readonly ttlSeconds?: number | undefined;
  readonly expiresAtMs?: number | undefined;
  readonly sourceCidrs?: readonly string[] | undefined;
  readonly interceptAll?: boolean | undefined;
  readonly secretsMode?: 'bound' | 'all' | undefined;
  readonly limits?: LimitsInput | undefined;
}

export interface SandboxChange {
  readonly name?: string | undefined;
  /** Replaced as a whole. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Replaced as a whole. */
  readonly network?: NetworkInput | undefined;
  /** `null` clears. */
  readonly timeoutSeconds?: number | null | undefined;
  /** `null` clears. */
  readonly autoDeleteSeconds?: number | null | undefined;
  /** `null` clears both; of an object what is not said stays. */
  readonly limits?: LimitsInput | null | undefined;
}

export interface BindingInput {
  readonly envKey: string;
  readonly secretName: string;
  readonly inject?: Inject | undefined;
}
