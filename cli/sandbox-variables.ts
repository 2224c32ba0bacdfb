/**
 * The complete environment of a sandbox on this machine: proxy, trust files, placeholders. The proxy address
 * and the placeholders are taken from what the admin API answered, the file paths from where they lie here.
 */
import { buildSandboxEnv } from '../src/sandboxes/sandbox-env.ts';
import type { CreatedSandbox } from './admin-shapes.ts';
import { CommandFault } from './command-fault.ts';

interface TrustFiles {
  readonly caFile: string;
  readonly bundleFile: string;
}

/** Host and port of the proxy, as the admin API named them. */
export function readProxyEndpoint(env: Readonly<Record<string, string>>): {
  readonly host: string;
  readonly port: number;
} {
  const text = env['HTTPS_PROXY'] ?? '';
  if (!URL.canParse(text)) throw new CommandFault('the admin API named no proxy address');
  const url = new URL(text);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || '80') };
}

/** Variables for `created`, its proxy reached by `proxyUrl` (with or without a token in it). */
export function sandboxVariables(
  created: CreatedSandbox,
  files: TrustFiles,
  proxyUrl: string,
): Record<string, string> {
  const bound = new Set(created.secrets.map((secret) => secret.env_key));
  const base = buildSandboxEnv({ proxyUrl, bindings: [], envVars: {}, ...files });
  const own = Object.entries(created.env).filter(([key]) => bound.has(key) || !(key in base));
  return { ...base, ...Object.fromEntries(own) };
}
