/** A sandbox as a person names it: its id, or its name where only one sandbox has it. */
import type { AdminClient } from './admin-client.ts';
import type { SandboxView } from './admin-shapes.ts';
import { CommandFault } from './command-fault.ts';
import { EXIT_CODES } from './exit-codes.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The id. CommandFault when no sandbox, or more than one, has that name. */
export async function readSandboxId(admin: AdminClient, idOrName: string): Promise<string> {
  if (UUID.test(idOrName)) return idOrName;
  const doing = `looking for sandbox ${idOrName}`;
  const all = await admin.get<readonly SandboxView[]>(doing, '/sandboxes');
  const named = all.filter((sandbox) => sandbox.name === idOrName);
  const [only] = named;
  if (named.length === 1 && only !== undefined) return only.id;
  throw new CommandFault(named.length === 0 ? 'there is none' : `${named.length} have this name`, {
    doing,
    hint: 'Use the id; `sallyport sandbox list` shows it.',
    exitCode: EXIT_CODES.notFound,
  });
}
