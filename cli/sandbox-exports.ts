/** Shell lines that put a new sandbox's environment, token included, into a shell of this machine. */
import { formatEnv } from '../src/sandboxes/sandbox-env.ts';
import type { AdminClient } from './admin-client.ts';
import type { CreatedSandbox } from './admin-shapes.ts';
import type { ProxyEndpoint } from './endpoint.ts';
import { writeSandboxFiles } from './sandbox-files.ts';
import { readProxyEndpoint, sandboxVariables } from './sandbox-variables.ts';

/** Writes the CA files into `options.directory` (default: a new private temporary one) and returns the lines. */
export async function formatExports(
  admin: AdminClient,
  created: CreatedSandbox,
  options: { readonly directory?: string | undefined; readonly proxy?: ProxyEndpoint | undefined },
): Promise<string> {
  const files = await writeSandboxFiles(admin, options.directory);
  const proxy = options.proxy ?? readProxyEndpoint(created);
  return formatEnv(sandboxVariables(created, files, { proxy }), 'shell');
}
