/**
 * What there is, as a document that `apply` takes: only what differs from the defaults, never a value. A
 * secret names the variable its value would come from on another instance.
 */
import { isDeepStrictEqual } from 'node:util';
import type { SandboxAnswer, SecretAnswer } from '../../admin-api/contract/bulk-document.ts';
import { ControlError } from '../../src/kernel/errors.ts';
import { loadCatalogue, type ProviderCatalogue } from '../../src/providers/catalogue.ts';
import { applySecretInput, BLANK_DEFINITION } from '../../src/secrets/secret-definition.ts';
import type { SecretDefinition } from '../../src/secrets/secret.ts';
import { envKeyOf } from '../secret-reference.ts';
import { bindingsOfAnswer } from './binding.ts';
import { changedFields, definitionOf, placementFields } from './secret-fields.ts';
import type { BulkState, GroupAnswer } from './state.ts';
import { WorkspaceUse } from './workspace-use.ts';

export interface ExportedDocument {
  readonly document: Readonly<Record<string, unknown>>;
  /** What could not be written down, in words. */
  readonly leftOut: readonly string[];
}

export function exportDocument(state: BulkState): ExportedDocument {
  const workspaceNames = new Map(state.workspaces.map(({ id, name }) => [id, name]));
  const use = new WorkspaceUse(state);
  const variables = new Set<string>();
  const catalogue = loadCatalogue();
  const counts = new Map<string, number>();
  for (const { name } of state.sandboxes) counts.set(name, (counts.get(name) ?? 0) + 1);
  const sandboxes = state.sandboxes.filter(({ name }) => counts.get(name) === 1);
  return {
    document: {
      sallyport: 1,
      workspaces: byName(state.workspaces).map(({ name }) => ({ name })),
      groups: byName(state.groups).map(exportGroup),
      secrets: byName([...state.secrets.values()]).map((answer) =>
        exportSecret(answer, definitionOf(answer, workspaceNames), { catalogue, variables }),
      ),
      sandboxes: byName(sandboxes).map((sandbox) => exportSandbox(sandbox, workspaceNames, use)),
    },
    leftOut: [
      ...[...counts]
        .filter(([, count]) => count > 1)
        .map(
          ([name, count]) =>
            `${count} sandboxes with the name ${name}, which no document can tell apart`,
        ),
      ...sandboxes.flatMap((sandbox) => describeUnused(sandbox, use)),
    ],
  };
}

/** What is bound and may not be used any more: nobody could bind it again. */
function describeUnused(sandbox: SandboxAnswer, use: WorkspaceUse): string[] {
  const { name, workspace_id: workspaceId } = sandbox;
  return bindingsOfAnswer(sandbox)
    .filter(({ secretName }) => !use.isAllowed(secretName, workspaceId))
    .map(
      ({ envKey, secretName }) =>
        `${envKey} of sandbox ${name}: its workspace may not use ${secretName} any more`,
    );
}

function exportGroup({ name, integrationId, manifest }: GroupAnswer): Record<string, unknown> {
  const { type: _type, name: _name, ...said } = manifest ?? {};
  return {
    name,
    ...(integrationId === null ? {} : { integration_id: integrationId }),
    ...(manifest === null ? {} : { manifest: said }),
  };
}

interface ExportContext {
  readonly catalogue: ProviderCatalogue;
  /** Names given so far. */
  readonly variables: Set<string>;
}

function exportSecret(
  { name }: SecretAnswer,
  definition: SecretDefinition,
  { catalogue, variables }: ExportContext,
): Record<string, unknown> {
  const made = applyPlacement(definition, catalogue);
  return {
    name,
    ...placementFields(definition),
    ...changedFields(made, definition),
    value_from: { env: nextVariable(name, variables) },
  };
}

/** What the placement alone makes, so that what a provider fills in is not said twice. */
function applyPlacement(
  definition: SecretDefinition,
  catalogue: ProviderCatalogue,
): SecretDefinition {
  const { provider, providerParams, auth, hosts } = definition;
  const bare = { ...BLANK_DEFINITION, provider, providerParams, auth, hosts };
  if (provider === null) return bare;
  try {
    const filled = applySecretInput(BLANK_DEFINITION, { provider, providerParams }, catalogue);
    return { ...filled, auth, hosts };
  } catch (error) {
    // A provider that this version's catalogue does not have.
    if (error instanceof ControlError) return bare;
    throw error;
  }
}

function nextVariable(name: string, variables: Set<string>): string {
  const wanted = envKeyOf(name);
  let variable = wanted;
  for (let count = 2; variables.has(variable); count += 1) variable = `${wanted}_${count}`;
  variables.add(variable);
  return variable;
}

function exportSandbox(
  sandbox: SandboxAnswer,
  workspaceNames: ReadonlyMap<string, string>,
  use: WorkspaceUse,
): Record<string, unknown> {
  const { network, limits, workspace_id: workspaceId } = sandbox;
  const bindings = bindingsOfAnswer(sandbox)
    .filter(({ secretName }) => use.isAllowed(secretName, workspaceId))
    .toSorted((one, other) => (one.envKey < other.envKey ? -1 : 1));
  const isPlain = bindings.every(({ inject }) => inject === 'auto');
  const fields: readonly (readonly [string, unknown, unknown])[] = [
    ['description', sandbox.description, null],
    ['workspace', workspaceNames.get(sandbox.workspace_id), undefined],
    ['metadata', sandbox.metadata, {}],
    [
      'secrets',
      isPlain
        ? Object.fromEntries(bindings.map(({ envKey, reference }) => [envKey, reference]))
        : bindings.map(({ envKey, reference, inject }) => ({
            env_key: envKey,
            secret_name: reference,
            inject,
          })),
      undefined,
    ],
    ['network', network, { allow_out: [], deny_out: [] }],
    ['limits', limits, { requests_per_minute: null, concurrent: null }],
    ['timeout_seconds', sandbox.timeout_seconds, null],
    ['auto_delete_seconds', sandbox.auto_delete_seconds, null],
    ['env_vars', sandbox.env_vars, {}],
    ['expires_at', sandbox.expires_at, null],
    ['source_cidrs', sandbox.source_cidrs, []],
    ['intercept', sandbox.intercept, 'auto'],
    ['secrets_mode', sandbox.secrets_mode, 'bound'],
  ];
  const said = fields.filter(([, value, usual]) => !isDeepStrictEqual(value, usual));
  return {
    name: sandbox.name,
    ...Object.fromEntries(said.map(([name, value]) => [name, value])),
  };
}

function byName<Row extends { readonly name: string }>(rows: readonly Row[]): Row[] {
  return rows.toSorted((one, other) => (one.name < other.name ? -1 : 1));
}
