/** Shell lines that put a new sandbox's environment, token included, into a shell of this machine. */
import type { AdminClient } from './admin-client.ts';
import type { CreatedSandbox } from './admin-shapes.ts';
import { CommandFault } from './command-fault.ts';
import { writeSandboxFiles } from './sandbox-files.ts';
import { sandboxVariables } from './sandbox-variables.ts';
import { formatEnv } from '../src/sandboxes/sandbox-env.ts';

/** Writes the CA files into `directory` (default: a new private temporary one) and returns the lines. */
export async function formatExports(
  admin: AdminClient,
  created: CreatedSandbox,
  directory: string | undefined,
): Promise<string> {
  const proxyUrl = created.env['HTTPS_PROXY'];
  if (proxyUrl === undefined) throw new CommandFault('the admin API named no proxy address');
  const files = await writeSandboxFiles(admin, directory);
  return formatEnv(sandboxVariables(created, files, proxyUrl), 'shell');
}
