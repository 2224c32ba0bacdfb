/**
 * The steps of `sallyport import`: one per row, independent of the others. What exists is skipped, or gets
 * the value of the file; what cannot be made is refused by itself. A variable that a provider's programs
 * read names the provider.
 */
import {
  bulkDocumentSchema,
  type BulkSecret,
  type ProviderAnswer,
} from '../../admin-api/contract/bulk-document.ts';
import type { Hidden } from '../../src/kernel/hidden.ts';
import type { ProviderCatalogue } from '../../src/providers/catalogue.ts';
import { envKeyOf } from '../secret-reference.ts';
import { DocumentFaults, formatIssues } from './document.ts';
import { planGroups } from './group-plan.ts';
import type { ImportRow } from './import-rows.ts';
import type { Step } from './plan.ts';
import { planSecrets } from './secret-plan.ts';
import { secretPath } from './secret-writes.ts';
import type { BulkState } from './state.ts';

export interface ImportPlanInput {
  readonly rows: readonly ImportRow[];
  readonly state: BulkState;
  readonly catalogue: ProviderCatalogue;
  readonly providers: readonly ProviderAnswer[];
  /** For rows that do not say it: fields given by options. */
  readonly placement: Readonly<Record<string, unknown>>;
  /** For providers found by name. */
  readonly params: Readonly<Record<string, string>>;
  readonly guesses: boolean;
  /** Leave out what would not be placed: settings that are no secrets. */
  readonly onlyPlaced: boolean;
  readonly overwrites: boolean;
  /** Values by name, for rows without one. */
  readonly values: ReadonlyMap<string, Hidden>;
}

export function planImport(input: ImportPlanInput): Step[] {
  const made = input.rows.map((row) => planRow(input, row));
  const names = made.filter(({ action }) => action === 'create').map(({ name }) => ({ name }));
  const document = bulkDocumentSchema.parse({ sallyport: 1, secrets: names });
  return [...planGroups(document, input.state, new DocumentFaults()), ...made];
}

function planRow(input: ImportPlanInput, row: ImportRow): Step {
  const { name } = row;
  const isThere = input.state.secrets.has(name);
  if (isThere && !input.overwrites) return skip(name, 'exists');
  const value = row.value ?? input.values.get(name) ?? input.values.get(envKeyOf(name));
  if (value === undefined) return skip(name, 'no value');
  if (isThere) return rotation(name, value);
  const { fields, note } = placeRow(input, row);
  if (input.onlyPlaced && fields['provider'] === undefined && fields['auth'] === undefined) {
    return skip(name, note ?? 'no provider has this name');
  }
  const written = { sallyport: 1, secrets: [{ ...fields, name, value_from: { stdin: name } }] };
  const parsed = bulkDocumentSchema.safeParse(written);
  if (!parsed.success) return refuse(name, formatIssues(parsed.error.issues));
  return planOne(input, parsed.data.secrets ?? [], value, { name, note });
}

function planOne(
  { state, catalogue }: ImportPlanInput,
  secrets: readonly BulkSecret[],
  value: Hidden,
  { name, note }: { readonly name: string; readonly note: string | null },
): Step {
  const faults = new DocumentFaults();
  const workspaceNames = new Set(state.workspaces.flatMap((one) => [one.id, one.name]));
  const readValue = (): Hidden => value;
  const plan = { secrets, state, workspaceNames, catalogue, readValue, rotates: false };
  const [step] = planSecrets(plan, faults);
  if (faults.list.length > 0 || step === undefined) return refuse(name, faults.list);
  return note === null ? step : { ...step, details: [...step.details, note] };
}

interface PlacedRow {
  readonly fields: Readonly<Record<string, unknown>>;
  /** What the user should know about it. */
  readonly note: string | null;
}

function placeRow(input: ImportPlanInput, row: ImportRow): PlacedRow {
  const { fields } = row;
  if (row.isDescribed) return { fields, note: null };
  if (Object.keys(input.placement).length > 0) {
    return { fields: { ...fields, ...input.placement }, note: null };
  }
  const variable = row.name.slice(row.name.indexOf(':') + 1);
  const provider = input.guesses
    ? input.providers.find(({ env }) => env.includes(variable))
    : undefined;
  if (provider === undefined) return { fields, note: null };
  const wanted = Object.entries(provider.provider_params);
  const missing = wanted.filter(([name, { required }]) => required && !(name in input.params));
  if (missing.length > 0) {
    const options = missing.map(([name]) => `--param ${name}=…`).join(' ');
    return { fields, note: `would be provider ${provider.name} with ${options}` };
  }
  const params = wanted.flatMap(([name]) => {
    const given = input.params[name];
    return given === undefined ? [] : [[name, given] as const];
  });
  const filled = params.length === 0 ? {} : { provider_params: Object.fromEntries(params) };
  return { fields: { ...fields, provider: provider.name, ...filled }, note: null };
}

function rotation(name: string, value: Hidden): Step {
  return {
    action: 'change',
    kind: 'secret',
    name,
    details: ['value (new version)'],
    run: async (admin) => {
      await admin.patch(`rotating secret ${name}`, secretPath(name), { value: value.reveal() });
    },
  };
}

function skip(name: string, why: string): Step {
  return { action: 'skip', kind: 'secret', name, details: [why] };
}

function refuse(name: string, faults: readonly string[]): Step {
  const details = faults.map((fault) => fault.replace(/^secrets\[0\]\.?/, ''));
  return { action: 'refuse', kind: 'secret', name, details };
}
