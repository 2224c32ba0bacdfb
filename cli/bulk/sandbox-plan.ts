/**
 * The steps that make sandboxes what a document says. A sandbox is known by its name; its bindings are the
 * full set where the document has one. What cannot be changed on a sandbox is a fault, not a new sandbox:
 * its token would end.
 */
import { isDeepStrictEqual } from 'node:util';
import type { BulkSandbox, SandboxAnswer } from '../../admin-api/contract/bulk-document.ts';
import {
  checkEnvKey,
  checkMetadata,
  parseNetwork,
  parseSandboxName,
} from '../../src/sandboxes/sandbox-rules.ts';
import type { AdminClient } from '../admin-client.ts';
import { bindingsOf, bindingsOfAnswer, type Binding } from './binding.ts';
import type { DocumentFaults } from './document.ts';
import type { Step } from './plan.ts';
import { isRecord } from './record.ts';
import type { BulkState } from './state.ts';
import type { WorkspaceUse } from './workspace-use.ts';

export interface SandboxPlanInput {
  /** As parsed, and as written: requests carry what was written. */
  readonly sandboxes: readonly BulkSandbox[];
  readonly written: readonly unknown[];
  readonly state: BulkState;
  /** Names of the secrets there will be. */
  readonly secretNames: ReadonlySet<string>;
  readonly workspaceNames: ReadonlySet<string>;
  readonly use: WorkspaceUse;
}

export function planSandboxes(input: SandboxPlanInput, faults: DocumentFaults): Step[] {
  const seen = new Set<string>();
  return input.sandboxes.flatMap((sandbox, index) => {
    const path = `sandboxes[${index}]`;
    if (seen.has(sandbox.name)) faults.add(`${path}.name`, 'is given twice');
    seen.add(sandbox.name);
    checkSandbox(input, sandbox, path, faults);
    const written = input.written[index];
    const fields = isRecord(written) ? written : {};
    const known = input.state.sandboxes.filter(({ name }) => name === sandbox.name);
    const [before] = known;
    if (before === undefined) {
      const wanted = bindingsOf(sandbox);
      checkUse(input, wanted, { path, workspace: sandbox.workspace }, faults);
      return [creation(sandbox, fields)];
    }
    if (known.length > 1) {
      faults.add(`${path}.name`, `${known.length} sandboxes have this name`);
      return [];
    }
    return change(input, sandbox, before, { fields, path, faults });
  });
}

function checkSandbox(
  input: SandboxPlanInput,
  sandbox: BulkSandbox,
  path: string,
  faults: DocumentFaults,
): void {
  faults.collect(path, () => parseSandboxName(sandbox.name));
  faults.collect(path, () => checkMetadata(sandbox.metadata ?? {}));
  faults.collect(path, () => parseNetwork(sandbox.network ?? {}));
  const { workspace } = sandbox;
  if (workspace !== undefined && !input.workspaceNames.has(workspace)) {
    faults.add(`${path}.workspace`, `there is no workspace ${workspace}`);
  }
  for (const { envKey, secretName, reference, version } of bindingsOf(sandbox)) {
    faults.collect(path, () => checkEnvKey(envKey, `secrets.${envKey}`));
    const place = `${path}.secrets.${envKey}`;
    if (!input.secretNames.has(secretName)) {
      faults.add(place, `there is no secret ${reference}`);
    } else if ((version ?? 1) > 1 && !input.state.secrets.has(secretName)) {
      faults.add(place, `${reference} names a version that a new secret does not have`);
    }
  }
}

/** As the server judges a new binding. */
function checkUse(
  { use }: SandboxPlanInput,
  added: readonly Binding[],
  place: { readonly path: string; readonly workspace: string | undefined },
  faults: DocumentFaults,
): void {
  for (const { envKey, secretName, reference } of added) {
    if (use.isAllowed(secretName, place.workspace)) continue;
    faults.add(
      `${place.path}.secrets.${envKey}`,
      `${reference} may not be used in the workspace ${use.nameOf(place.workspace)}`,
    );
  }
}

function creation(sandbox: BulkSandbox, written: Readonly<Record<string, unknown>>): Step {
  const { name } = sandbox;
  const bindings = bindingsOf(sandbox);
  const auto = bindings.filter(({ inject }) => inject === 'auto');
  return {
    action: 'create',
    kind: 'sandbox',
    name,
    details: bindings.map(formatBinding),
    next: `\`sallyport sandbox token ${name}\` makes a token for it`,
    run: async (admin) => {
      const secrets = Object.fromEntries(auto.map(({ envKey, reference }) => [envKey, reference]));
      const body = { ...written, secrets };
      const created = await admin.post<SandboxAnswer>(
        `creating sandbox ${name}`,
        '/sandboxes',
        body,
      );
      for (const binding of bindings) {
        if (binding.inject !== 'auto') await attach(admin, name, created.id, binding);
      }
    },
  };
}

interface Place {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly path: string;
  readonly faults: DocumentFaults;
}

function change(
  input: SandboxPlanInput,
  sandbox: BulkSandbox,
  before: SandboxAnswer,
  { fields, path, faults }: Place,
): Step[] {
  for (const field of fixedDifferences(input, sandbox, before)) {
    faults.add(`${path}.${field}`, 'cannot be changed on a sandbox that is there; delete it first');
  }
  const patch = Object.fromEntries(
    changedNames(sandbox, before).map((field) => [field, fields[field]]),
  );
  const wanted = sandbox.secrets === undefined ? null : bindingsOf(sandbox);
  const present = bindingsOfAnswer(before);
  const added = wanted === null ? [] : wanted.filter((one) => !holds(present, one));
  checkUse(input, added, { path, workspace: before.workspace_id }, faults);
  const gone = wanted === null ? [] : detached(input, before, wanted, added);
  const details = [
    ...Object.keys(patch),
    ...gone.map((envKey) => `detach ${envKey}`),
    ...added.map((binding) => `attach ${formatBinding(binding)}`),
  ];
  if (details.length === 0) return [];
  const { name } = sandbox;
  const { id } = before;
  const run = async (admin: AdminClient): Promise<void> => {
    const doing = `changing sandbox ${name}`;
    if (Object.keys(patch).length > 0) await admin.patch(doing, `/sandboxes/${id}`, patch);
    for (const envKey of gone) await admin.delete(doing, `/sandboxes/${id}/secrets/${envKey}`);
    for (const binding of added) await attach(admin, name, id, binding);
  };
  return [{ action: 'change', kind: 'sandbox', name, details, run }];
}

/** Variables of bindings that work and are not wanted, and of dead ones in the way of a new one. */
function detached(
  { use }: SandboxPlanInput,
  before: SandboxAnswer,
  wanted: readonly Binding[],
  added: readonly Binding[],
): string[] {
  const unwanted = bindingsOfAnswer(before).filter(
    (one) => !holds(wanted, one) && use.isAllowed(one.secretName, before.workspace_id),
  );
  const inTheWay = before.secrets.filter(({ env_key: envKey }) =>
    added.some((one) => one.envKey === envKey),
  );
  return [
    ...new Set([...unwanted.map((one) => one.envKey), ...inTheWay.map((one) => one.env_key)]),
  ];
}

/** Fields that PATCH takes and that differ. */
function changedNames(sandbox: BulkSandbox, before: SandboxAnswer): string[] {
  const { metadata, network, timeout_seconds: timeout, auto_delete_seconds: autoDelete } = sandbox;
  const limits = sandbox.limits && {
    requests_per_minute: said(sandbox.limits.requestsPerMinute, before.limits.requests_per_minute),
    concurrent: said(sandbox.limits.concurrent, before.limits.concurrent),
  };
  const asked = network && parsedNetwork(network);
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['metadata', metadata, before.metadata],
    ['network', asked, before.network],
    ['timeout_seconds', timeout, before.timeout_seconds],
    ['auto_delete_seconds', autoDelete, before.auto_delete_seconds],
    ['limits', limits, before.limits],
  ];
  return pairs.filter(differs).map(([name]) => name);
}

/** `null` says that there is no limit. */
function said(asked: number | null | undefined, present: number | null): number | null {
  return asked === undefined ? present : asked;
}

/** Fields that are said once, at creation. */
function fixedDifferences(
  { state }: SandboxPlanInput,
  sandbox: BulkSandbox,
  before: SandboxAnswer,
): string[] {
  const workspace = state.workspaces.find(({ id }) => id === before.workspace_id);
  const isSameWorkspace =
    sandbox.workspace === workspace?.id || sandbox.workspace === workspace?.name;
  const expiresAtMs = before.expires_at === null ? null : Date.parse(before.expires_at);
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['description', sandbox.description, before.description],
    ['workspace', isSameWorkspace ? undefined : sandbox.workspace, workspace?.name],
    ['env_vars', sandbox.env_vars, before.env_vars],
    ['source_cidrs', sandbox.source_cidrs, before.source_cidrs],
    ['intercept', sandbox.intercept, before.intercept],
    ['secrets_mode', sandbox.secrets_mode, before.secrets_mode],
    ['expires_at', sandbox.expires_at, expiresAtMs],
  ];
  return pairs.filter(differs).map(([name]) => name);
}

/** What the document does not say differs from nothing. */
function differs([, asked, present]: readonly [string, unknown, unknown]): boolean {
  return asked !== undefined && !isDeepStrictEqual(asked, present);
}

/** Canonical, as the server stores it; what is malformed was found before. */
function parsedNetwork(network: NonNullable<BulkSandbox['network']>): unknown {
  try {
    const { allowOut, denyOut } = parseNetwork(network);
    return { allow_out: [...allowOut], deny_out: [...denyOut] };
  } catch {
    return undefined;
  }
}

function holds(bindings: readonly Binding[], binding: Binding): boolean {
  return bindings.some((other) =>
    isDeepStrictEqual({ ...other, reference: '' }, { ...binding, reference: '' }),
  );
}

function formatBinding({ envKey, reference, inject }: Binding): string {
  return `${envKey}=${reference}${inject === 'auto' ? '' : ` (${inject})`}`;
}

async function attach(
  admin: AdminClient,
  name: string,
  id: string,
  binding: Binding,
): Promise<void> {
  const { envKey, reference, inject } = binding;
  const body = { env_key: envKey, secret_name: reference, inject };
  await admin.post(`binding ${envKey} of sandbox ${name}`, `/sandboxes/${id}/secrets`, body);
}
