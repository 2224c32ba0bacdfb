/**
 * An organization with one of everything in it, under names that are the same in every organization staged
 * so: what a call of any route can be about. Values, ids and keys are its own.
 */
import type { AdminClient } from './admin.ts';
import { mintCanary } from './canary.ts';

export interface StagedOrganization {
  readonly id: string;
  readonly name: string;
  /** Role admin, of everything in it. */
  readonly admin: AdminClient;
  readonly sandboxId: string;
  readonly proxyToken: string;
  readonly secretName: string;
  readonly secretId: string;
  readonly groupId: string;
  readonly groupedSecretId: string;
  readonly webhookId: string;
  readonly apiKeyId: string;
  /** Nothing is in it. */
  readonly workspaceId: string;
  /** In no answer but those that are asked for values. */
  readonly values: readonly string[];
}

const GROUPS = '/api/svc/v1/secret-groups';

export const STAGED = {
  secret: 'openai',
  alias: 'my_secret',
  group: 'my-group',
  key: 'my-key',
  sandbox: 'agent-7',
  envKey: 'OPENAI_API_KEY',
  host: 'api.openai.com',
  workspaces: ['workspace1', 'workspace2', 'empty'],
} as const;

/** `egress.hosts` of a product that is staged: nobody is there, and nobody outside is asked. */
export const STAGED_HOSTS: Readonly<Record<string, string>> = {
  [STAGED.host]: '127.0.0.1:1',
  'hooks.example.com': '127.0.0.1:1',
  'api.example.com': '127.0.0.1:1',
};

/** `root`: a client with a root key. */
export async function stageOrganization(
  root: AdminClient,
  name: string,
): Promise<StagedOrganization> {
  const { id } = await root.must('POST', '/organizations', { name });
  const minted = await root.call('POST', '/api-keys', { name: 'admin', role: 'admin' }, name);
  const admin = root.withKey(minted.json.key);
  const values = [mintCanary('not-a-real-'), mintCanary('not-a-real-'), mintCanary('not-a-real-')];
  const make = (path: string, body: unknown): Promise<StagedAnswer> =>
    admin.must('POST', path, body) as Promise<StagedAnswer>;
  let workspaceId = '';
  for (const workspace of STAGED.workspaces) {
    workspaceId = (await make('/workspaces', { name: workspace })).id;
  }
  const secret = await make('/secrets', {
    name: STAGED.secret,
    value: values[0],
    auth: { type: 'bearer' },
    hosts: [STAGED.host],
  });
  // A second version, so that there is one to go back to.
  await admin.must('PATCH', `/secrets/${STAGED.secret}`, { value: values[1] });
  await make('/api/v2/aihub/secrets', {
    alias: STAGED.alias,
    value: values[2],
    allowed_workspaces_type: 'ALL',
  });
  const group = await make(GROUPS, {
    name: STAGED.group,
    secrets: [{ key: STAGED.key, value: values[2] }],
  });
  const sandbox = await make('/sandboxes', {
    name: STAGED.sandbox,
    secrets: { [STAGED.envKey]: STAGED.secret },
  });
  const webhook = await make('/webhooks', {
    url: 'https://hooks.example.com/sallyport',
    events: ['misuse.refused'],
  });
  const apiKey = await make('/api-keys', { name: 'spare', role: 'viewer' });
  return {
    id,
    name,
    admin,
    sandboxId: sandbox.id,
    proxyToken: sandbox.proxy_token,
    secretName: STAGED.secret,
    secretId: secret.id,
    groupId: group.data.id,
    groupedSecretId: group.data.associatedSecrets[0]?.id ?? '',
    webhookId: webhook.id,
    apiKeyId: apiKey.id,
    workspaceId,
    values,
  };
}

interface StagedAnswer {
  readonly id: string;
  readonly proxy_token: string;
  readonly data: { readonly id: string; readonly associatedSecrets: readonly { id: string }[] };
}

/** The path of an operation with what is staged in its braces. Throws where it is about something else. */
export function stagedPath(path: string, stage: StagedOrganization): string {
  const [prefix = '', rest] = path.split(/\/\{\w+\}/, 2);
  if (rest === undefined) return path;
  const things: Readonly<Record<string, string>> = {
    '/secrets': stage.secretName,
    '/sandboxes': stage.sandboxId,
    '/webhooks': stage.webhookId,
    '/api-keys': stage.apiKeyId,
    '/workspaces': stage.workspaceId,
    '/organizations': stage.id,
    [GROUPS]: stage.groupId,
    '/api/svc/v1/secrets': stage.groupedSecretId,
  };
  const thing = things[prefix];
  if (thing === undefined) throw new Error(`nothing is staged for ${path}`);
  return path.replace(/\{\w+\}/, thing).replace('{env_key}', STAGED.envKey);
}
