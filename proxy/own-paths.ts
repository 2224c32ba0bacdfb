/**
 * The proxy's own paths (spec sections 1 and 9): `/healthz`, `/ca.pem`, `/.well-known/sallyport`, in
 * origin-form, or in absolute-form for this listener's authority or the reserved name. The well-known
 * document tells a sandbox what it may use: hosts, methods, variable names. Never a value.
 */
import { Refusal } from '../src/kernel/errors.ts';
import { readTombstoneAt } from '../src/policy/match-rule.ts';
import type { Snapshot } from '../src/policy/snapshot.ts';
import { readField } from '../src/wire/field-list.ts';
import { authenticate } from './authenticate.ts';
import type { DataPlane } from './data-plane.ts';
import type { UnknownTokenWatch } from './unknown-token-watch.ts';

const PATHS: ReadonlySet<string> = new Set(['/healthz', '/ca.pem', '/.well-known/sallyport']);

/** Never resolved, never dialled. */
export const RESERVED_HOST = 'sallyport.internal';

export interface OwnResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface OwnRequest {
  readonly method: string;
  /** Origin-form. */
  readonly target: string;
  readonly fields: readonly string[];
  readonly peerAddress: string;
}

/** Answers one of the proxy's own paths. Throws Refusal `bad_request` for any other, `ClientRefusal`. */
export async function serveOwnPath(
  plane: DataPlane,
  watch: UnknownTokenWatch,
  request: OwnRequest,
): Promise<OwnResponse> {
  const { method, target } = request;
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  if (PATHS.has(path) && method !== 'GET' && method !== 'HEAD') {
    throw new Refusal('method_not_allowed', {
      hint: 'Ask the paths of the proxy itself with GET.',
    });
  }
  switch (path) {
    case '/healthz':
      return { status: 200, contentType: 'application/json', body: '{"status":"ok"}\n' };
    case '/ca.pem':
      return { status: 200, contentType: 'application/x-pem-file', body: plane.caPem() };
    case '/.well-known/sallyport':
      return {
        status: 200,
        contentType: 'application/json',
        body: `${JSON.stringify(await describeCaller(plane, watch, request))}\n`,
      };
    default:
      throw new Refusal('bad_request', {
        message: 'This is a forward proxy: it serves CONNECT and absolute-form http:// requests.',
        hint: 'Set it as HTTPS_PROXY and HTTP_PROXY instead of calling it.',
      });
  }
}

/** The token in either field, held to everything that holds on a CONNECT: source, expiry, guesses. */
async function describeCaller(plane: DataPlane, watch: UnknownTokenWatch, request: OwnRequest) {
  const { fields, peerAddress } = request;
  const shown = readField(fields, 'proxy-authorization') ?? readField(fields, 'authorization');
  const credentials = shown === undefined ? [] : ['proxy-authorization', shown];
  const { snapshot } = await authenticate(plane, watch, credentials, peerAddress);
  return describeSandbox(snapshot, plane.clock.nowMs());
}

function describeSandbox(snapshot: Snapshot, nowMs: number) {
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
      .filter((binding) => readTombstoneAt(binding, nowMs) === null)
      .map((binding) => ({
        env_key: binding.envKey === '' ? null : binding.envKey,
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
