/** What an organization has now, read through the admin API before a plan is made or a document written. */
import type {
  ProviderAnswer,
  SandboxAnswer,
  SecretAnswer,
} from '../../admin-api/contract/bulk-document.ts';
import type { AdminClient } from '../admin-client.ts';
import { CommandFault } from '../command-fault.ts';
import { EXIT_CODES } from '../exit-codes.ts';

interface WorkspaceAnswer {
  readonly id: string;
  readonly name: string;
}

export interface GroupAnswer {
  readonly id: string;
  readonly name: string;
  readonly integrationId: string | null;
  readonly manifest: Readonly<Record<string, unknown>> | null;
  readonly associatedSecrets: readonly { readonly name: string }[];
}

export interface BulkState {
  readonly workspaces: readonly WorkspaceAnswer[];
  /** Without the built-in one. */
  readonly groups: readonly GroupAnswer[];
  readonly secrets: ReadonlyMap<string, SecretAnswer>;
  readonly sandboxes: readonly SandboxAnswer[];
}

export const GROUPS_PATH = '/api/svc/v1/secret-groups';
const PAGE_ROWS = 1_000;

export async function readBulkState(admin: AdminClient): Promise<BulkState> {
  const secrets = await admin.get<readonly SecretAnswer[]>(
    'listing secrets',
    '/secrets?include=unplaced',
  );
  return {
    workspaces: await admin.get('listing workspaces', '/workspaces'),
    groups: await readGroups(admin),
    secrets: new Map(secrets.map((secret) => [secret.name, secret])),
    sandboxes: await admin.get('listing sandboxes', '/sandboxes'),
  };
}

export function readProviders(admin: AdminClient): Promise<readonly ProviderAnswer[]> {
  return admin.get('listing providers', '/providers');
}

/** All pages. An instance whose TrueFoundry face is switched off has no groups to show. */
async function readGroups(admin: AdminClient): Promise<GroupAnswer[]> {
  const groups: GroupAnswer[] = [];
  for (;;) {
    const path = `${GROUPS_PATH}?limit=${PAGE_ROWS}&offset=${groups.length}`;
    const page = await admin
      .get<{ readonly data: readonly GroupAnswer[] }>('listing groups', path)
      .catch((error: unknown) => {
        if (error instanceof CommandFault && error.exitCode === EXIT_CODES.notFound) return null;
        throw error;
      });
    groups.push(...(page?.data ?? []));
    if ((page?.data.length ?? 0) < PAGE_ROWS) break;
  }
  return groups.filter(({ id }) => id !== 'default');
}
