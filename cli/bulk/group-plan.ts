/** The steps that make workspaces and groups what a document says. */
import { isDeepStrictEqual } from 'node:util';
import type { BulkDocument, BulkGroup } from '../../admin-api/contract/bulk-document.ts';
import type { AdminClient } from '../admin-client.ts';
import type { DocumentFaults } from './document.ts';
import type { Step } from './plan.ts';
import { groupOfSecret } from './secret-plan.ts';
import { GROUPS_PATH, type BulkState, type GroupAnswer } from './state.ts';

export function planWorkspaces(document: BulkDocument, state: BulkState): Step[] {
  const known = new Set(state.workspaces.map(({ name }) => name));
  const wanted = new Set((document.workspaces ?? []).map(({ name }) => name.trim()));
  return [...wanted]
    .filter((name) => !known.has(name))
    .map((name) => ({
      action: 'create',
      kind: 'workspace',
      name,
      details: [],
      run: async (admin) => {
        await admin.post(`creating workspace ${name}`, '/workspaces', { name });
      },
    }));
}

/** Groups of the document, and those that its secrets are in. */
export function planGroups(
  document: BulkDocument,
  state: BulkState,
  faults: DocumentFaults,
): Step[] {
  const known = new Map(state.groups.map((group) => [group.name, group]));
  const declared = document.groups ?? [];
  const named = new Set(declared.map(({ name }) => name));
  const implied = new Set(
    (document.secrets ?? []).flatMap(({ name }) => groupOfSecret(name) ?? []),
  );
  const missing = [...implied].filter((name) => !named.has(name) && !known.has(name));
  return [
    ...declared.flatMap((group, index) => {
      const before = known.get(group.name);
      if (before === undefined) return [creation(group)];
      return change(group, before, `groups[${index}]`, faults);
    }),
    ...missing.map((name) => creation({ name, integration_id: undefined, manifest: undefined })),
  ];
}

function creation(group: BulkGroup): Step {
  const { name, integration_id: integrationId } = group;
  return {
    action: 'create',
    kind: 'group',
    name,
    details: [],
    run: async (admin) => {
      const body = { name, ...(integrationId === undefined ? {} : { integrationId }), secrets: [] };
      await admin.post(`creating group ${name}`, GROUPS_PATH, body);
      if (group.manifest !== undefined) await putManifest(admin, group);
    },
  };
}

function change(
  group: BulkGroup,
  before: GroupAnswer,
  path: string,
  faults: DocumentFaults,
): Step[] {
  const { name, integration_id: integrationId, manifest } = group;
  if (integrationId !== undefined && integrationId !== before.integrationId) {
    faults.add(`${path}.integration_id`, 'cannot be changed; delete the group first');
  }
  if (manifest === undefined || isDeepStrictEqual(manifestBody(group), before.manifest)) return [];
  const run = (admin: AdminClient): Promise<void> => putManifest(admin, group);
  return [{ action: 'change', kind: 'group', name, details: ['manifest'], run }];
}

async function putManifest(admin: AdminClient, group: BulkGroup): Promise<void> {
  const body = { manifest: manifestBody(group) };
  await admin.put(`writing the manifest of group ${group.name}`, GROUPS_PATH, body);
}

function manifestBody({ name, manifest }: BulkGroup): Record<string, unknown> {
  const given = Object.entries(manifest ?? {}).filter(([, value]) => value !== undefined);
  return { type: 'secret-group', name, ...Object.fromEntries(given) };
}
