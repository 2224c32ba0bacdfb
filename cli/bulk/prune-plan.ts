/**
 * The steps that delete what a document does not name, in the sections the document has and nowhere else.
 * Bound things go before what they are bound to. The workspace `default` stays.
 */
import type { BulkDocument } from '../../admin-api/contract/bulk-document.ts';
import type { Step } from './plan.ts';
import { groupOfSecret } from './secret-plan.ts';
import { secretPath } from './secret-writes.ts';
import { GROUPS_PATH, type BulkState } from './state.ts';

const KEPT_WORKSPACE = 'default';

export function planPrune(document: BulkDocument, state: BulkState): Step[] {
  const { workspaces, groups, secrets, sandboxes } = document;
  const goneGroups = absent(groups, state.groups).filter(
    ({ name }) => !(secrets ?? []).some((secret) => groupOfSecret(secret.name) === name),
  );
  const withGroup = new Set(goneGroups.map(({ name }) => name));
  const goneSecrets = absent(secrets, [...state.secrets.values()]).filter(
    // They go with their group.
    ({ name }) => !withGroup.has(groupOfSecret(name) ?? ''),
  );
  const goneWorkspaces = absent(workspaces, state.workspaces).filter(
    ({ name }) => name !== KEPT_WORKSPACE,
  );
  return [
    ...absent(sandboxes, state.sandboxes).map(({ id, name }) =>
      deletion('sandbox', name, `/sandboxes/${id}`),
    ),
    ...goneSecrets.map(({ name }) => deletion('secret', name, secretPath(name))),
    ...goneGroups.map(({ id, name }) => deletion('group', name, `${GROUPS_PATH}/${id}`)),
    ...goneWorkspaces.map(({ id, name }) => deletion('workspace', name, `/workspaces/${id}`)),
  ];
}

function absent<Row extends { readonly name: string }>(
  section: readonly { readonly name: string }[] | undefined,
  present: readonly Row[],
): Row[] {
  if (section === undefined) return [];
  const named = new Set(section.map(({ name }) => name));
  return present.filter(({ name }) => !named.has(name));
}

function deletion(kind: Step['kind'], name: string, path: string): Step {
  return {
    action: 'delete',
    kind,
    name,
    details: [],
    run: (admin) => admin.delete(`deleting ${kind} ${name}`, path),
  };
}
