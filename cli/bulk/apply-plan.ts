/** The whole plan of a document against what there is: creations and changes in order, deletions last. */
import type { BulkDocument, ValueFrom } from '../../admin-api/contract/bulk-document.ts';
import type { Hidden } from '../../src/kernel/hidden.ts';
import { loadCatalogue } from '../../src/providers/catalogue.ts';
import { DocumentFaults } from './document.ts';
import { planGroups, planWorkspaces } from './group-plan.ts';
import type { Step } from './plan.ts';
import { planPrune } from './prune-plan.ts';
import { isRecord } from './record.ts';
import { planSandboxes } from './sandbox-plan.ts';
import { planSecrets } from './secret-plan.ts';
import type { BulkState } from './state.ts';
import { WorkspaceUse } from './workspace-use.ts';

export interface ApplyPlanInput {
  readonly document: BulkDocument;
  /** The same as it was written. */
  readonly written: unknown;
  readonly state: BulkState;
  readonly readValue: (source: ValueFrom) => Hidden;
  readonly rotates: boolean;
  readonly prunes: boolean;
  /** Named in faults. */
  readonly file: string;
}

/** CommandFault with every fault, before anything is done. */
export function planApply(input: ApplyPlanInput): Step[] {
  const { document, state } = input;
  const faults = new DocumentFaults();
  const pruned = input.prunes ? planPrune(document, state) : [];
  const gone = new Set(pruned.flatMap(({ kind, name }) => (kind === 'secret' ? [name] : [])));
  const secretNames = new Set([
    ...[...state.secrets.keys()].filter((name) => !gone.has(name)),
    ...(document.secrets ?? []).map(({ name }) => name),
  ]);
  const workspaceNames = new Set([
    ...state.workspaces.flatMap(({ id, name }) => [id, name]),
    ...(document.workspaces ?? []).map(({ name }) => name.trim()),
  ]);
  const steps = [
    ...planWorkspaces(document, state),
    ...planGroups(document, state, faults),
    ...planSecrets(
      {
        secrets: document.secrets ?? [],
        state,
        workspaceNames,
        catalogue: loadCatalogue(),
        readValue: input.readValue,
        rotates: input.rotates,
      },
      faults,
    ),
    ...planSandboxes(
      {
        sandboxes: document.sandboxes ?? [],
        written: writtenSandboxes(input.written),
        state,
        secretNames,
        workspaceNames,
        use: new WorkspaceUse(state, document.secrets ?? []),
      },
      faults,
    ),
    ...pruned,
  ];
  faults.check(input.file);
  return steps;
}

function writtenSandboxes(written: unknown): readonly unknown[] {
  const list = isRecord(written) ? written['sandboxes'] : undefined;
  return Array.isArray(list) ? (list as unknown[]) : [];
}
