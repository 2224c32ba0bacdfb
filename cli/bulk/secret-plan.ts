/**
 * The steps that make secrets what a document says. A value is asked for only where it is needed: for a
 * new secret, where the change lets the value travel further, and to rotate. What a document does not say
 * stays as it is. Judged by the same code as the server's.
 */
import { secretInputOf } from '../../admin-api/contract/secret.ts';
import type {
  BulkSecret,
  SecretAnswer,
  ValueFrom,
} from '../../admin-api/contract/bulk-document.ts';
import type { Hidden } from '../../src/kernel/hidden.ts';
import type { ProviderCatalogue } from '../../src/providers/catalogue.ts';
import { checkPlaceable } from '../../src/secrets/placeable-value.ts';
import { applySecretInput, BLANK_DEFINITION } from '../../src/secrets/secret-definition.ts';
import { parseSecretName } from '../../src/secrets/secret-name.ts';
import { splitName } from '../../src/secrets/secret-reference.ts';
import type { SecretInput } from '../../src/secrets/secret-input.ts';
import type { SecretDefinition } from '../../src/secrets/secret.ts';
import { decideWidening } from '../../src/secrets/widening.ts';
import type { DocumentFaults } from './document.ts';
import type { Step } from './plan.ts';
import { changedFields, definitionOf } from './secret-fields.ts';
import { createSecret, secretPath } from './secret-writes.ts';
import type { BulkState } from './state.ts';
import { isDeepStrictEqual } from 'node:util';

export interface SecretPlanInput {
  readonly secrets: readonly BulkSecret[];
  readonly state: BulkState;
  /** Names and ids of the workspaces there will be. */
  readonly workspaceNames: ReadonlySet<string>;
  readonly catalogue: ProviderCatalogue;
  /** `secrets.allow_widening` is the server's; a plan asks for the value as if it were off. */
  readonly readValue: (source: ValueFrom) => Hidden;
  /** Give the values again to secrets that are there. */
  readonly rotates: boolean;
}

/** One step per secret that differs. Faults are collected; then the steps are not to be run. */
export function planSecrets(input: SecretPlanInput, faults: DocumentFaults): Step[] {
  const names = new Map(input.state.workspaces.map(({ id, name }) => [id, name]));
  const seen = new Set<string>();
  return input.secrets.flatMap((entry, index) => {
    const path = `secrets[${index}]`;
    if (seen.has(entry.name)) faults.add(`${path}.name`, 'is given twice');
    seen.add(entry.name);
    for (const workspace of entry.allowed_workspaces ?? []) {
      if (input.workspaceNames.has(workspace)) continue;
      faults.add(`${path}.allowed_workspaces`, `there is no workspace ${workspace}`);
    }
    const answer = input.state.secrets.get(entry.name);
    const step =
      answer === undefined
        ? planCreation(input, entry, path, faults)
        : planChange(input, entry, definitionOf(answer, names), path, faults);
    return step === null ? [] : [step];
  });
}

function planCreation(
  input: SecretPlanInput,
  entry: BulkSecret,
  path: string,
  faults: DocumentFaults,
): Step | null {
  faults.collect(path, () => checkName(entry.name));
  const after = faults.collect(path, () => {
    const said = inputOf(named(entry, input.state));
    return applySecretInput(BLANK_DEFINITION, said, input.catalogue);
  });
  const value = readValue(input, entry, path, 'a new secret needs', faults);
  if (after === undefined || value === null) return null;
  faults.collect(path, () => checkPlaceable(value, after.auth));
  return {
    action: 'create',
    kind: 'secret',
    name: entry.name,
    details: [describePlace(after)],
    run: (admin) => createSecret(admin, entry.name, after, value),
  };
}

function planChange(
  input: SecretPlanInput,
  entry: BulkSecret,
  before: SecretDefinition,
  path: string,
  faults: DocumentFaults,
): Step | null {
  const said = withoutSamePlacement(inputOf(named(entry, input.state)), before);
  const after = faults.collect(path, () => applySecretInput(before, said, input.catalogue));
  if (after === undefined) return null;
  const fields = changedFields(before, after);
  const changed = Object.keys(fields);
  const widened = decideWidening(before, after);
  const rotates = input.rotates && entry.value_from !== undefined;
  if (changed.length === 0 && !rotates) return null;
  if (widened.length > 0 || rotates) {
    const why = `lets the value travel further (${widened.join(', ')}), which needs`;
    const value = readValue(input, entry, path, why, faults);
    if (value === null) return null;
    faults.collect(path, () => checkPlaceable(value, after.auth));
    fields['value'] = value.reveal();
  }
  return {
    action: 'change',
    kind: 'secret',
    name: entry.name,
    details: Object.keys(fields).map((field) =>
      field === 'value' ? 'value (new version)' : field,
    ),
    run: async (admin) => {
      await admin.patch<SecretAnswer>(
        `changing secret ${entry.name}`,
        secretPath(entry.name),
        fields,
      );
    },
  };
}

function readValue(
  { readValue: read }: SecretPlanInput,
  entry: BulkSecret,
  path: string,
  why: string,
  faults: DocumentFaults,
): Hidden | null {
  if (entry.value_from === undefined) {
    faults.add(path, `${why} value_from: {env}, {file} or {stdin}`);
    return null;
  }
  try {
    return read(entry.value_from);
  } catch (error) {
    faults.add(`${path}.value_from`, error instanceof Error ? error.message : 'cannot be read');
    return null;
  }
}

/** With workspaces by name, where the document has an id. */
function named(entry: BulkSecret, { workspaces }: BulkState): BulkSecret {
  const names = new Map(workspaces.map(({ id, name }) => [id, name]));
  const asked = entry.allowed_workspaces?.map((workspace) => names.get(workspace) ?? workspace);
  return { ...entry, allowed_workspaces: asked };
}

function inputOf(entry: BulkSecret): SecretInput {
  const { name: _name, value_from: _source, ...fields } = entry;
  return secretInputOf({ ...fields, value: undefined, overlap_seconds: undefined });
}

/** A provider named again says nothing new, also where its row has changed since. */
function withoutSamePlacement(input: SecretInput, before: SecretDefinition): SecretInput {
  const isSame =
    input.provider === before.provider &&
    isDeepStrictEqual(input.providerParams ?? {}, before.providerParams);
  return isSame ? { ...input, provider: undefined, providerParams: undefined } : input;
}

function checkName(name: string): void {
  // Names in groups are checked with their group.
  if (!name.includes(':') && !/^\d/.test(name)) parseSecretName(name);
}

function describePlace({ provider, auth, hosts }: SecretDefinition): string {
  if (provider !== null) return `provider ${provider}`;
  return auth === null ? 'unplaced: no provider, no hosts' : `for ${hosts.join(' ')}`;
}

/** The group a secret is in; `null` for none. */
export function groupOfSecret(name: string): string | null {
  return name.includes(':') ? splitName(name).group : null;
}
