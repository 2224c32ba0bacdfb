/**
 * Builders for policy tests: sandboxes, secrets and bindings with defaults, compiled by the real compiler,
 * and request heads written as one line. Values and placeholders are obviously fake.
 */
import { BLANK_DEFINITION } from '../../src/secrets/secret-definition.ts';
import { compileSnapshot } from '../../src/policy/snapshot-compile.ts';
import type { BoundSecret, PolicySource } from '../../src/policy/policy-store.ts';
import type { RequestHead } from '../../src/policy/request-head.ts';
import type { Snapshot } from '../../src/policy/snapshot.ts';
import type { Binding, Sandbox } from '../../src/sandboxes/sandbox.ts';
import type { Secret } from '../../src/secrets/secret.ts';
import { parseHost } from '../../src/wire/host.ts';

export const NOW_MS = 1_800_000_000_000;

export function sandbox(overrides: Partial<Sandbox> = {}): Sandbox {
  return {
    id: 'sandbox-1',
    organizationId: 'org-1',
    workspaceId: 'workspace-1',
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
    armedAtMs: NOW_MS,
    autoDeleteSeconds: null,
    pausedAtMs: null,
    autoDeleteAtMs: null,
    expiresAtMs: null,
    createdAtMs: NOW_MS,
    updatedAtMs: NOW_MS,
    createdBy: 'user:test',
    revision: 1,
    ...overrides,
  };
}

export function secret(name: string, overrides: Partial<Secret> = {}): Secret {
  return {
    id: `id-${name}`,
    organizationId: 'org-1',
    name,
    version: 1,
    activeVersionId: `version-${name}`,
    oldestUsableVersion: 1,
    highestVersion: overrides.version ?? 1,
    rotation: 1,
    overlap: null,
    ...BLANK_DEFINITION,
    auth: { type: 'bearer' },
    hosts: ['api.example.com'],
    createdAtMs: NOW_MS,
    updatedAtMs: NOW_MS,
    rotatedAtMs: NOW_MS,
    createdBy: 'user:test',
    updatedBy: 'user:test',
    revision: 1,
    ...overrides,
  };
}

export interface BindOptions {
  readonly envKey?: string;
  readonly inject?: Binding['inject'];
  readonly detachedAtMs?: number;
  readonly deleted?: boolean;
}

export function bound(secret: Secret, options: BindOptions = {}): BoundSecret {
  const envKey = options.envKey ?? `${secret.name.toUpperCase()}_KEY`;
  return {
    secret,
    secretDeletedAtMs: options.deleted === true ? NOW_MS - 1 : null,
    version:
      options.deleted === true
        ? null
        : {
            id: secret.activeVersionId,
            organizationId: secret.organizationId,
            secretId: secret.id,
            version: secret.version,
            sealed: new Uint8Array([1, 2, 3]),
            createdAtMs: NOW_MS,
            createdBy: 'user:test',
          },
    overlapVersion: null,
    binding: {
      id: `binding-${envKey}`,
      organizationId: secret.organizationId,
      sandboxId: 'sandbox-1',
      secretId: secret.id,
      envKey,
      inject: options.inject ?? 'auto',
      placeholder: placeholderOf(envKey),
      createdAtMs: NOW_MS,
      detachedAtMs: options.detachedAtMs ?? null,
    },
  };
}

/** 43 characters after the prefix, as minted ones have. */
export function placeholderOf(envKey: string): string {
  return `sallyport_${envKey.replaceAll('_', '-').padEnd(43, '0')}`;
}

export function snapshotOf(source: {
  readonly sandbox?: Partial<Sandbox>;
  readonly bound?: readonly BoundSecret[];
}): Snapshot {
  return compileSnapshot(policySource(source), { revision: 1, nowMs: NOW_MS });
}

export function policySource(source: {
  readonly sandbox?: Partial<Sandbox>;
  readonly bound?: readonly BoundSecret[];
}): PolicySource {
  return { sandbox: sandbox(source.sandbox), bound: source.bound ?? [] };
}

/** `head('GET https://api.example.com/v1', ['Authorization', '…'])`. */
export function head(line: string, fields: readonly string[] = []): RequestHead {
  const match = /^(\S+) (https?):\/\/(\[[^\]]+\]|[^/:]+)(?::(\d+))?(.*)$/.exec(line);
  if (match === null) throw new Error(`not a request line: ${line}`);
  const [, method = '', scheme, host = '', port, target] = match;
  return {
    scheme: scheme === 'http' ? 'http' : 'https',
    host: parseHost(host),
    port: port === undefined ? (scheme === 'http' ? 80 : 443) : Number(port),
    method,
    target: target === undefined || target === '' ? '/' : target,
    fields,
  };
}
