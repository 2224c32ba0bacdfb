/**
 * The complete environment of a sandbox on this machine: proxy, trust files, placeholders. The placeholders
 * are taken from what the admin API answered, the file paths from where they lie here.
 */
import { buildSandboxEnv } from '../src/sandboxes/sandbox-env.ts';
import type { CreatedSandbox } from './admin-shapes.ts';
import { CommandFault } from './command-fault.ts';
import { formatProxyUrl, type ProxyEndpoint } from './endpoint.ts';
import type { SandboxFiles } from './sandbox-files.ts';

/** The proxy, as the admin API named them. CommandFault when it did not. */
export function readProxyEndpoint(created: CreatedSandbox): ProxyEndpoint {
  const text = created.env['HTTPS_PROXY'] ?? '';
  if (!URL.canParse(text)) {
    throw new CommandFault('the admin API named no proxy address', { doing: 'preparing sandbox' });
  }
  const url = new URL(text);
  const isTls = url.protocol === 'https:';
  const port = Number(url.port || (isTls ? '443' : '80'));
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port, isTls };
}

/** What stands in the proxy variables: a relay, which needs no token, or the proxy, which does. */
export type ProxyAccess = { readonly relayUrl: string } | { readonly proxy: ProxyEndpoint };

export function sandboxVariables(
  created: CreatedSandbox,
  files: SandboxFiles,
  access: ProxyAccess,
): Record<string, string> {
  const bound = new Set(created.secrets.map((secret) => secret.env_key));
  const behindRelay = 'relayUrl' in access;
  const base = buildSandboxEnv({
    proxyUrl: behindRelay ? access.relayUrl : formatProxyUrl(access.proxy),
    token: behindRelay ? null : created.proxy_token,
    bindings: [],
    envVars: {},
    caFile: files.caFile,
    bundleFile: files.bundleFile,
    javaTrustStoreFile: behindRelay ? files.javaTrustStoreFile : null,
  });
  const own = Object.entries(created.env).filter(([key]) => bound.has(key) || !(key in base));
  return { ...base, ...Object.fromEntries(own) };
}
