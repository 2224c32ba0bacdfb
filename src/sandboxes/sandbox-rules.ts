/**
 * What makes the parts of a sandbox valid: variables, metadata, network entries, source ranges, times.
 * Pure; every fault is a ControlError that names its field as the native API spells it.
 */
import { fieldError } from '../kernel/field-error.ts';
import { parseNetworkEntry } from '../policy/network-rules.ts';
import { readCidr } from '../wire/ranges.ts';
import { isReservedEnvKey } from './sandbox-env.ts';
import type { LimitsInput, NetworkInput } from './sandbox-input.ts';
import type { NetworkConfig, SandboxLimits } from './sandbox.ts';

const ENV_KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;
const ENV_KEY_CHARS_MAX = 256;
const ENV_VARS_MAX = 256;
const ENV_VALUE_BYTES_MAX = 32 * 1024;
const METADATA_MAX = 64;
const METADATA_CHARS_MAX = 4_096;
const NETWORK_ENTRIES_MAX = 512;
const SOURCE_CIDRS_MAX = 64;

export const AUTO_DELETE_SECONDS_MAX = 2_592_000;
export const DURATION_SECONDS_MAX = 31_536_000;
export const REQUESTS_PER_MINUTE_MAX = 1_000_000;
export const CONCURRENT_MAX = 100_000;

export const NO_LIMITS: SandboxLimits = { requestsPerMinute: null, concurrent: null };

export function parseSandboxName(text: string): string {
  const name = text.trim();
  if (name.length >= 1 && name.length <= 256 && !/[\x00-\x1f\x7f]/.test(name)) return name;
  throw fieldError('name', 'must be 1 to 256 characters without control characters');
}

/** The name of a variable that holds a placeholder. */
export function checkEnvKey(key: string, path: string): void {
  if (!ENV_KEY.test(key) || key.length > ENV_KEY_CHARS_MAX) {
    throw fieldError(path, `must match ${ENV_KEY.source}`);
  }
  if (isReservedEnvKey(key)) throw fieldError(path, 'is a variable that Sallyport itself sets');
}

/** The names of ours that the admin's variables cannot change come back, to be warned about. */
export function checkEnvVars(
  envVars: Readonly<Record<string, string>>,
  boundKeys: ReadonlySet<string>,
): string[] {
  const entries = Object.entries(envVars);
  if (entries.length > ENV_VARS_MAX) {
    throw fieldError('env_vars', `must have at most ${ENV_VARS_MAX} entries`);
  }
  for (const [key, value] of entries) {
    if (!ENV_KEY.test(key)) throw fieldError(`env_vars.${key}`, `must match ${ENV_KEY.source}`);
    if (boundKeys.has(key)) throw fieldError(`env_vars.${key}`, 'is also in secrets');
    if (value.includes('\0') || Buffer.byteLength(value) > ENV_VALUE_BYTES_MAX) {
      throw fieldError(`env_vars.${key}`, `must have at most ${ENV_VALUE_BYTES_MAX} bytes, no NUL`);
    }
  }
  return entries.map(([key]) => key).filter(isReservedEnvKey);
}

export function checkMetadata(metadata: Readonly<Record<string, string>>): void {
  const entries = Object.entries(metadata);
  if (entries.length > METADATA_MAX) {
    throw fieldError('metadata', `must have at most ${METADATA_MAX} entries`);
  }
  for (const [key, text] of entries) {
    if (key.length >= 1 && key.length <= 256 && text.length <= METADATA_CHARS_MAX) continue;
    throw fieldError(
      `metadata.${key}`,
      `must have a short key and ${METADATA_CHARS_MAX} characters`,
    );
  }
}

/** Canonical entries, in the admin's order. */
export function parseNetwork(network: NetworkInput): NetworkConfig {
  return {
    allowOut: parseEntries(network.allowOut ?? [], 'network.allow_out'),
    denyOut: parseEntries(network.denyOut ?? [], 'network.deny_out'),
  };
}

export function checkSourceCidrs(cidrs: readonly string[]): string[] {
  if (cidrs.length > SOURCE_CIDRS_MAX) {
    throw fieldError('source_cidrs', `must have at most ${SOURCE_CIDRS_MAX} entries`);
  }
  return cidrs.map((text, index) => {
    const cidr = readCidr(text.trim());
    if (cidr === undefined) {
      throw fieldError(`source_cidrs[${index}]`, 'must be an address or a CIDR such as 10.0.0.0/8');
    }
    return cidr.text;
  });
}

/** What is not said stays; `null` clears. */
export function withLimits(
  before: SandboxLimits,
  said: LimitsInput | null | undefined,
): SandboxLimits {
  if (said === undefined) return before;
  if (said === null) return NO_LIMITS;
  const { requestsPerMinute = before.requestsPerMinute, concurrent = before.concurrent } = said;
  return { requestsPerMinute, concurrent };
}

/** `null` for no end. */
export function parseExpiry(
  nowMs: number,
  ttlSeconds: number | undefined,
  expiresAtMs: number | undefined,
): number | null {
  if (ttlSeconds !== undefined && expiresAtMs !== undefined) {
    throw fieldError('ttl_seconds', 'cannot stand beside expires_at');
  }
  if (ttlSeconds !== undefined) return nowMs + ttlSeconds * 1_000;
  return expiresAtMs ?? null;
}

function parseEntries(entries: readonly string[], path: string): string[] {
  if (entries.length > NETWORK_ENTRIES_MAX) {
    throw fieldError(path, `must have at most ${NETWORK_ENTRIES_MAX} entries`);
  }
  return entries.map((text, index) => {
    try {
      return parseNetworkEntry(text.trim()).text;
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'is not a network entry';
      throw fieldError(`${path}[${index}]`, reason);
    }
  });
}
