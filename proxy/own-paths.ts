/**
 * The proxy's own paths (spec sections 1 and 9): `/healthz`, `/ca.pem`, `/.well-known/sallyport`, in
 * origin-form, or in absolute-form for this listener's authority or the reserved name. The well-known
 * document tells a sandbox what it may use: hosts, methods, variable names. Never a value.
 */
import { Refusal } from '../src/kernel/errors.ts';
import { hashToken } from '../src/kernel/ids.ts';
import type { Snapshot } from '../src/policy/snapshot.ts';
import { readProxyAuthorization } from '../src/wire/basic-credentials.ts';
import { readField } from '../src/wire/field-list.ts';
import { currentSnapshot } from './authenticate.ts';
import type { DataPlane } from './data-plane.ts';

/** Never resolved, never dialled. */
export const RESERVED_HOST = 'sallyport.internal';

export interface OwnResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Answers one of the proxy's own paths. Throws Refusal `bad_request` for any other. */
export async function serveOwnPath(
  plane: DataPlane,
  method: string,
  target: string,
  fields: readonly string[],
): Promise<OwnResponse> {
  if (method !== 'GET' && method !== 'HEAD') throw new Refusal('method_not_allowed');
  const mark = target.indexOf('?');
  switch (mark === -1 ? target : target.slice(0, mark)) {
    case '/healthz':
      return { status: 200, contentType: 'application/json', body: '{"status":"ok"}\n' };
    case '/ca.pem':
      return { status: 200, contentType: 'application/x-pem-file', body: plane.caPem() };
    case '/.well-known/sallyport':
      return {
        status: 200,
        contentType: 'application/json',
        body: `${JSON.stringify(describeSandbox(await snapshotOfCaller(plane, fields)))}\n`,
      };
    default:
      throw new Refusal('bad_request', {
        message: 'This is a forward proxy: it serves CONNECT and absolute-form http:// requests.',
        hint: 'Set it as HTTPS_PROXY and HTTP_PROXY instead of calling it.',
      });
  }
}

async function snapshotOfCaller(plane: DataPlane, fields: readonly string[]): Promise<Snapshot> {
  const shown = readField(fields, 'proxy-authorization') ?? readField(fields, 'authorization');
  const credentials = shown === undefined ? undefined : readProxyAuthorization(shown);
  if (credentials === undefined) throw new Refusal('proxy_auth_required');
  const holder = await plane.feed.holderOf(hashToken(credentials.token));
  if (holder === undefined) throw new Refusal('proxy_auth_required');
  return currentSnapshot(plane.feed, holder, plane.clock.nowMs());
}

function describeSandbox(snapshot: Snapshot) {
  return {
    sandbox: {
      id: snapshot.sandboxId,
      name: snapshot.sandboxName,
      description: snapshot.description,
      expires_at:
        snapshot.expiresAtMs === null ? null : new Date(snapshot.expiresAtMs).toISOString(),
    },
    network: {
      allow_out: snapshot.network.allow.map((entry) => entry.text),
      deny_out: snapshot.network.deny.map((entry) => entry.text),
    },
    secrets: snapshot.bindings
      .filter((binding) => binding.tombstone === null && !binding.detached)
      .map((binding) => ({
        env_key: binding.envKey,
        name: binding.secretName,
        description: binding.description,
        hosts: binding.hosts.map((pattern) => pattern.text),
        ports: binding.ports,
        methods: binding.methods,
        paths: binding.paths?.map((pattern) => pattern.text) ?? null,
        inject: binding.inject,
      })),
  };
}
