/**
 * A secret's definition in the three forms a bulk write meets: as the API answers it, as the domain judges
 * it, and as the fields of a request. Workspaces are names here. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import { authOfAnswer, type SecretAnswer } from '../../admin-api/contract/bulk-document.ts';
import type { Auth } from '../../src/secrets/auth.ts';
import type { SecretDefinition } from '../../src/secrets/secret.ts';

/** `workspaceNames`: id → name. */
export function definitionOf(
  answer: SecretAnswer,
  workspaceNames: ReadonlyMap<string, string>,
): SecretDefinition {
  return {
    description: answer.description,
    auth: authOfAnswer(answer),
    hosts: answer.hosts,
    ports: answer.ports,
    provider: answer.provider_shortcut,
    providerParams: answer.provider_params,
    methods: answer.methods,
    paths: answer.paths,
    priority: answer.priority,
    onExisting: answer.on_existing,
    alsoStrip: answer.also_strip,
    companionHeaders: answer.companion_headers,
    maskResponses: answer.mask_responses,
    allowPlaintext: answer.allow_plaintext,
    allowedWorkspacesType: answer.allowed_workspaces_type,
    allowedWorkspaces: answer.allowed_workspaces.map((id) => workspaceNames.get(id) ?? id),
    disabled: answer.disabled,
    expiresAtMs: answer.expires_at === null ? null : Date.parse(answer.expires_at),
  };
}

/** The fields of a request that lead from `before` to `after`; none: they are the same. */
export function changedFields(
  before: SecretDefinition,
  after: SecretDefinition,
): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  Object.assign(fields, changedPlacement(before, after));
  for (const [name, format] of FIELDS) {
    if (isDeepStrictEqual(before[name], after[name])) continue;
    Object.assign(fields, format(after));
  }
  return fields;
}

const FIELDS: readonly (readonly [
  keyof SecretDefinition,
  (after: SecretDefinition) => Record<string, unknown>,
])[] = [
  ['description', (after) => ({ description: after.description ?? '' })],
  ['ports', (after) => ({ ports: after.ports })],
  ['methods', (after) => ({ methods: after.methods ?? [] })],
  ['paths', (after) => ({ paths: after.paths ?? [] })],
  ['priority', (after) => ({ priority: after.priority })],
  ['onExisting', (after) => ({ on_existing: after.onExisting })],
  ['alsoStrip', (after) => ({ also_strip: after.alsoStrip })],
  ['companionHeaders', (after) => ({ companion_headers: after.companionHeaders })],
  ['maskResponses', (after) => ({ mask_responses: after.maskResponses })],
  ['allowPlaintext', (after) => ({ allow_plaintext: after.allowPlaintext })],
  ['allowedWorkspacesType', workspaceFields],
  ['allowedWorkspaces', workspaceFields],
  ['disabled', (after) => ({ disabled: after.disabled })],
  ['expiresAtMs', (after) => ({ expires_at: formatExpiry(after.expiresAtMs) })],
];

function workspaceFields(after: SecretDefinition): Record<string, unknown> {
  return {
    allowed_workspaces_type: after.allowedWorkspacesType,
    ...(after.allowedWorkspacesType === 'SOME'
      ? { allowed_workspaces: after.allowedWorkspaces }
      : {}),
  };
}

/** The API takes an empty text for "never". */
function formatExpiry(expiresAtMs: number | null): string {
  return expiresAtMs === null ? '' : new Date(expiresAtMs).toISOString();
}

/** A provider is named whole; of auth and hosts only what differs. */
function changedPlacement(
  before: SecretDefinition,
  after: SecretDefinition,
): Record<string, unknown> {
  const names = ['provider', 'providerParams', 'auth', 'hosts'] as const;
  const changed = new Set(names.filter((name) => !isDeepStrictEqual(before[name], after[name])));
  if (changed.size === 0) return {};
  const { auth, hosts, ...provider } = placementFields(after);
  if (after.provider !== null) return provider;
  const isAnew = before.provider !== null || before.auth === null;
  return {
    ...(isAnew || changed.has('auth') ? { auth } : {}),
    ...(isAnew || changed.has('hosts') ? { hosts } : {}),
  };
}

/** Where the value goes: the provider, or auth and hosts. */
export function placementFields(definition: SecretDefinition): Record<string, unknown> {
  const { provider, providerParams, auth, hosts } = definition;
  if (provider !== null) {
    const hasParams = Object.keys(providerParams).length > 0;
    return { provider, ...(hasParams ? { provider_params: providerParams } : {}) };
  }
  return auth === null ? {} : { auth: formatAuth(auth), hosts };
}

function formatAuth(auth: Auth): unknown {
  return 'perHost' in auth ? { per_host: auth.perHost } : auth;
}
