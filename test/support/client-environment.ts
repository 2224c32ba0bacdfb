/**
 * The environment of a sandboxed client: what the API gave, with its two files written where a test may
 * read them.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';
import type { Product, TestSandbox } from './product.ts';

/** Variables that name the CA alone; every other file variable names the bundle. */
const CA_ONLY = new Set(['NODE_EXTRA_CA_CERTS', 'DENO_CERT']);

export async function clientEnvironment(
  product: Product,
  sandbox: TestSandbox,
  options: { readonly home: string },
): Promise<Record<string, string>> {
  const caFile = join(product.directory, 'ca.pem');
  const bundleFile = join(product.directory, 'bundle.pem');
  await writeFile(bundleFile, [...getCACertificates('system'), product.caPem].join('\n'));
  const env: Record<string, string> = { HOME: options.home, GIT_TERMINAL_PROMPT: '0' };
  for (const [name, value] of Object.entries(sandbox.env)) {
    const isFile = /\.(pem|crt)$/.test(value);
    env[name] = isFile ? (CA_ONLY.has(name) ? caFile : bundleFile) : value;
  }
  return env;
}
