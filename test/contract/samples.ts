/** Sample rows for the contract suite: complete, valid, obviously fake. */
import { BLANK_DEFINITION } from '../../src/secrets/secret-definition.ts';
import { randomUUID } from 'node:crypto';
import type { ConnectionEvent, ExchangeEvent } from '../../src/audit/event.ts';
import type { ApiKey, Organization, Workspace } from '../../src/organizations/organization.ts';
import type { Binding, Sandbox, SandboxToken } from '../../src/sandboxes/sandbox.ts';
import type { SealedVersion, Secret } from '../../src/secrets/secret.ts';
import type { StoreContracts } from '../../src/store/store.ts';
import type { UsageMark } from '../../src/usage/usage-store.ts';

export interface Tenant {
  readonly organization: Organization;
  readonly workspace: Workspace;
}

export async function insertTenant(store: StoreContracts, name: string): Promise<Tenant> {
  const organization = { id: randomUUID(), name, createdAtMs: 1_000 };
  const workspace = {
    id: randomUUID(),
    organizationId: organization.id,
    name: 'default',
    createdAtMs: 1_000,
  };
  await store.organizations.insertOrganization(organization, workspace);
  return { organization, workspace };
}

export function sampleKey(tenant: Tenant, changes: Partial<ApiKey> = {}): ApiKey {
  const id = randomUUID();
  return {
    id,
    organizationId: tenant.organization.id,
    name: 'first',
    role: 'admin',
    subject: 'user:someone',
    keyHash: `hash-of-${id}`,
    keyPrefix: 'sp_live_abc',
    workspaceIds: null,
    secretIds: null,
    createdAtMs: 1_000,
    createdBy: 'bootstrap',
    expiresAtMs: null,
    lastUsedAtMs: null,
    ...changes,
  };
}

export function sampleSecret(tenant: Tenant, changes: Partial<Secret> = {}): Secret {
  return {
    id: randomUUID(),
    organizationId: tenant.organization.id,
    name: `secret_${randomUUID().slice(0, 8)}`,
    ...BLANK_DEFINITION,
    auth: { type: 'bearer' },
    hosts: ['api.example.com'],
    version: 1,
    activeVersionId: randomUUID(),
    oldestUsableVersion: 1,
    highestVersion: changes.version ?? 1,
    rotation: 1,
    overlap: null,
    createdAtMs: 2_000,
    updatedAtMs: 2_000,
    rotatedAtMs: 2_000,
    createdBy: 'key-1',
    updatedBy: 'key-1',
    revision: 1,
    ...changes,
  };
}

/** One used version in a batch of usage. */
export function sampleMark(
  secret: Pick<Secret, 'id' | 'activeVersionId'>,
  changes: Partial<UsageMark> = {},
): UsageMark {
  return {
    secretId: secret.id,
    versionId: secret.activeVersionId,
    lastUsedAtMs: null,
    lastAnsweredAtMs: null,
    rotation: 0,
    requests: 0,
    wasAccepted: false,
    authFailures: 0,
    lastAuthFailureAtMs: null,
    authFailureKind: null,
    ...changes,
  };
}

/** The version a secret names as active. */
export function sampleVersion(secret: Secret, changes: Partial<SealedVersion> = {}): SealedVersion {
  return {
    id: secret.activeVersionId,
    organizationId: secret.organizationId,
    secretId: secret.id,
    version: secret.version,
    sealed: new Uint8Array([1, 2, 3, secret.version]),
    createdAtMs: secret.updatedAtMs,
    createdBy: 'key-1',
    ...changes,
  };
}

export async function insertSampleSecret(
  store: StoreContracts,
  tenant: Tenant,
  changes: Partial<Secret> = {},
): Promise<Secret> {
  const secret = sampleSecret(tenant, changes);
  await store.secrets.insertSecret(secret, sampleVersion(secret));
  return secret;
}

export function sampleSandbox(tenant: Tenant, changes: Partial<Sandbox> = {}): Sandbox {
  return {
    id: randomUUID(),
    organizationId: tenant.organization.id,
    workspaceId: tenant.workspace.id,
    name: 'agent',
    description: null,
    status: 'active',
    metadata: {},
    network: { allowOut: [], denyOut: [] },
    envVars: {},
    secretsMode: 'bound',
    limits: { requestsPerMinute: null, concurrent: null },
    interceptAll: false,
    sourceCidrs: [],
    timeoutSeconds: null,
    armedAtMs: 3_000,
    autoDeleteSeconds: null,
    pausedAtMs: null,
    autoDeleteAtMs: null,
    expiresAtMs: null,
    createdAtMs: 3_000,
    updatedAtMs: 3_000,
    createdBy: 'key-1',
    revision: 1,
    ...changes,
  };
}

export function sampleBinding(
  sandbox: Sandbox,
  secret: Pick<Secret, 'id'>,
  changes: Partial<Binding> = {},
): Binding {
  return {
    id: randomUUID(),
    organizationId: sandbox.organizationId,
    sandboxId: sandbox.id,
    secretId: secret.id,
    envKey: 'API_KEY',
    inject: 'auto',
    placeholder: 'sallyport_placeholder',
    createdAtMs: 4_000,
    detachedAtMs: null,
    ...changes,
  };
}

export function sampleToken(sandbox: Sandbox, changes: Partial<SandboxToken> = {}): SandboxToken {
  return {
    sandboxId: sandbox.id,
    organizationId: sandbox.organizationId,
    tokenHash: `hash-of-${randomUUID()}`,
    createdAtMs: 3_000,
    validUntilMs: null,
    ...changes,
  };
}

export async function insertSampleSandbox(
  store: StoreContracts,
  tenant: Tenant,
  changes: Partial<Sandbox> = {},
  bindings: (sandbox: Sandbox) => readonly Binding[] = () => [],
): Promise<Sandbox> {
  const sandbox = sampleSandbox(tenant, changes);
  await store.sandboxes.insertSandbox(sandbox, bindings(sandbox), sampleToken(sandbox));
  return sandbox;
}

export function sampleExchange(
  ids: { readonly organizationId: string; readonly sandboxId: string },
  changes: Partial<ExchangeEvent> = {},
): ExchangeEvent {
  return {
    kind: 'exchange',
    tsMs: 10_000,
    organizationId: ids.organizationId,
    sandboxId: ids.sandboxId,
    requestId: randomUUID(),
    host: 'api.example.com',
    port: 443,
    decision: 'allow',
    code: null,
    detail: null,
    wouldRefuse: null,
    bytesIn: 10,
    bytesOut: 20,
    latencyMs: 12,
    secrets: [],
    method: 'GET',
    scheme: 'https',
    path: '/v1/models',
    status: 200,
    upstreamStatus: 200,
    httpVersion: '1.1',
    upstreamHttpVersion: '1.1',
    ...changes,
  };
}

export function sampleConnection(
  ids: { readonly organizationId: string; readonly sandboxId: string },
  changes: Partial<ConnectionEvent> = {},
): ConnectionEvent {
  return {
    kind: 'connection',
    tsMs: 10_000,
    organizationId: ids.organizationId,
    sandboxId: ids.sandboxId,
    requestId: randomUUID(),
    host: 'tunnel.example.com',
    port: 443,
    decision: 'tunnel',
    code: null,
    detail: null,
    wouldRefuse: null,
    bytesIn: 100,
    bytesOut: 200,
    latencyMs: 30,
    dstIp: '192.0.2.1',
    verdict: 'allowed',
    matchRule: null,
    secrets: [],
    ...changes,
  };
}
