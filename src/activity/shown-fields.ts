/**
 * Which fields of each thing an event shows, under the names of the API: an explicit list, so that a field
 * added later is not shown by accident. No values, no tokens, no hashes; of variables the names only. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import type { SecretGroup } from '../groups/secret-group.ts';
import type { ApiKey } from '../organizations/organization.ts';
import type { Sandbox } from '../sandboxes/sandbox.ts';
import type { Secret } from '../secrets/secret.ts';
import type { Webhook } from '../webhooks/webhook.ts';
import type { ShownFields } from './activity.ts';

const SECRET_FIELDS = [
  'name',
  'description',
  'hosts',
  'ports',
  'provider',
  'providerParams',
  'methods',
  'paths',
  'priority',
  'onExisting',
  'alsoStrip',
  'companionHeaders',
  'maskResponses',
  'allowPlaintext',
  'allowedWorkspacesType',
  'allowedWorkspaces',
  'disabled',
  'expiresAtMs',
  'version',
] as const satisfies readonly (keyof Secret)[];

const SANDBOX_FIELDS = [
  'name',
  'workspaceId',
  'description',
  'status',
  'metadata',
  'secretsMode',
  'sourceCidrs',
  'timeoutSeconds',
  'autoDeleteSeconds',
  'expiresAtMs',
] as const satisfies readonly (keyof Sandbox)[];

const API_KEY_FIELDS = [
  'name',
  'role',
  'subject',
  'keyPrefix',
  'workspaceIds',
  'secretIds',
  'expiresAtMs',
] as const satisfies readonly (keyof ApiKey)[];

const GROUP_FIELDS = [
  'name',
  'integrationId',
  'manifest',
] as const satisfies readonly (keyof SecretGroup)[];

const WEBHOOK_FIELDS = [
  'url',
  'events',
  'description',
  'isDisabled',
] as const satisfies readonly (keyof Webhook)[];

export function showWebhook(webhook: Webhook): ShownFields {
  const { is_disabled: disabled, ...shown } = show(webhook, WEBHOOK_FIELDS);
  return { ...shown, disabled };
}

/** Every role reads events, only admins read webhooks: path and query of a URL are often a credential. */
export function hideUrlPath(url: string): string {
  const origin = URL.parse(url)?.origin ?? '';
  return url === origin || url === `${origin}/` ? url : `${origin}/…`;
}

/** What changed of a webhook, after whole URLs were compared. */
export function hideUrlPaths(shown: ShownFields): ShownFields {
  const { url } = shown;
  return typeof url === 'string' ? { ...shown, url: hideUrlPath(url) } : shown;
}

export function showSecret(secret: Secret): ShownFields {
  const endsAtMs = secret.overlap?.endsAtMs ?? null;
  const { auth } = secret;
  return {
    ...show(secret, SECRET_FIELDS),
    auth: auth !== null && 'perHost' in auth ? { per_host: auth.perHost } : auth,
    ...Object.fromEntries([shownField('overlapEndsAtMs', endsAtMs)]),
  };
}

export function showSandbox(sandbox: Sandbox): ShownFields {
  const { network, limits, interceptAll, envVars } = sandbox;
  return {
    ...show(sandbox, SANDBOX_FIELDS),
    network: { allow_out: network.allowOut, deny_out: network.denyOut },
    limits: { requests_per_minute: limits.requestsPerMinute, concurrent: limits.concurrent },
    intercept: interceptAll ? 'all' : 'auto',
    env_vars: Object.keys(envVars),
  };
}

export function showApiKey(key: ApiKey): ShownFields {
  return show(key, API_KEY_FIELDS);
}

export function showGroup(group: SecretGroup): ShownFields {
  return show(group, GROUP_FIELDS);
}

/** Only what differs between two things shown alike. */
export function showChange(
  before: ShownFields,
  after: ShownFields,
): { before: ShownFields; after: ShownFields } {
  const changed = Object.keys(after).filter(
    (name) => !isDeepStrictEqual(before[name], after[name]),
  );
  return { before: pick(before, changed), after: pick(after, changed) };
}

function pick(fields: ShownFields, names: readonly string[]): ShownFields {
  return Object.fromEntries(names.map((name) => [name, fields[name]]));
}

function show<Thing>(thing: Thing, fields: readonly (keyof Thing & string)[]): ShownFields {
  return Object.fromEntries(fields.map((field) => shownField(field, thing[field])));
}

function shownField(field: string, value: unknown): [name: string, value: unknown] {
  const isTime = field.endsWith('Ms');
  const name = (isTime ? field.slice(0, -2) : field).replaceAll(
    /[A-Z]/g,
    (letter) => `_${letter.toLowerCase()}`,
  );
  return [name, isTime && typeof value === 'number' ? new Date(value).toISOString() : value];
}
