/** The variables and files of a sandbox as the API hands them out. */
import { buildSandboxEnv, caFilePaths, DEFAULT_CA_DIR } from '../../src/sandboxes/sandbox-env.ts';
import type { SandboxRow } from '../../src/sandboxes/sandbox-store.ts';
import type { AdminDeps } from '../deps.ts';

/** `token` as it stands in the proxy variables. Placeholders of deleted secrets stay: they are refused. */
export function describeEnv(
  deps: Pick<AdminDeps, 'proxyUrl'>,
  row: SandboxRow,
  token: string,
  caDir: string = DEFAULT_CA_DIR,
): Record<string, string> {
  return buildSandboxEnv({
    proxyUrl: deps.proxyUrl(),
    token,
    bindings: row.bindings.map(({ binding }) => binding),
    envVars: row.sandbox.envVars,
    ...caFilePaths(caDir),
  });
}

/** Path → PEM text, where the variables point to. */
export function describeFiles(deps: Pick<AdminDeps, 'ca'>): Record<string, string> {
  const { caFile, bundleFile } = caFilePaths(DEFAULT_CA_DIR);
  const { caPem, bundlePem } = deps.ca();
  return { [caFile]: caPem, [bundleFile]: bundlePem };
}
