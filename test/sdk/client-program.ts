/**
 * A program inside a sandbox: one process with exactly the variables and files the API gave for it, and
 * nothing of the machine but PATH. The programs in `programs/` use published clients as their users do;
 * what they print is JSON. Everything they say is kept for the canary search.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Product, TestSandbox } from '../support/product.ts';
import { runTool } from '../support/tool.ts';
import type { ToolResult } from '../support/tool.ts';

const PROGRAMS = path.join(import.meta.dirname, 'programs');

/** A sandbox as a program sees it. */
export interface ClientHome {
  readonly product: Product;
  readonly sandbox: TestSandbox;
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
}

/** Writes the sandbox's files and points its variables to them; `alsoTrust` stands for public roots. */
export async function openHome(
  product: Product,
  sandbox: TestSandbox,
  options: { readonly alsoTrust?: string } = {},
): Promise<ClientHome> {
  const directory = path.join(product.directory, sandbox.id);
  await mkdir(directory, { recursive: true });
  const moved = new Map<string, string>();
  for (const [file, pem] of Object.entries(sandbox.files)) {
    const target = path.join(directory, path.basename(file));
    moved.set(file, target);
    await writeFile(target, `${pem}\n${options.alsoTrust ?? ''}`);
  }
  const env = Object.fromEntries(
    Object.entries(sandbox.env).map(([name, value]) => [name, moved.get(value) ?? value]),
  );
  return { product, sandbox, env: { HOME: directory, ...env }, directory };
}

/** Any command in the sandbox's environment. */
export async function runInHome(
  home: ClientHome,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ToolResult> {
  const options = { env: { ...home.env, ...env }, cwd: home.directory };
  const result = await runTool(command, args, options);
  home.product.clientBytes.push(Buffer.from(result.stdout), Buffer.from(result.stderr));
  return result;
}

/**
 * `node programs/NAME.mjs CALL` in the sandbox; what it printed, parsed. Throws with its words when it
 * fails or writes anything to standard error.
 */
export async function runClient(
  home: ClientHome,
  name: string,
  call: string,
  ...args: readonly string[]
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of any shape
): Promise<any> {
  const program = path.join(PROGRAMS, `${name}.mjs`);
  const result = await runInHome(home, process.execPath, [program, call, ...args]);
  if (result.code !== 0 || result.stderr !== '') {
    throw new Error(`${name} ${call} ended with ${result.code}:\n${result.stdout}${result.stderr}`);
  }
  return JSON.parse(result.stdout) as unknown;
}
