/**
 * Plain requests to the listener (spec section 5.9): the proxy's own paths, and absolute-form http://
 * requests. Every step of an exchange, with the URL's authority in the place of the CONNECT's, and
 * authentication on each request.
 */
import type { Socket } from 'node:net';
import { Refusal } from '../src/kernel/errors.ts';
import { formatAuthority } from '../src/wire/host.ts';
import type { Authority } from '../src/wire/host.ts';
import { parseRequestTarget } from '../src/wire/request-target.ts';
import { authenticate } from './authenticate.ts';
import type { Client } from './authenticate.ts';
import type { ConnectContext } from './connect.ts';
import type { ExchangeContext } from './exchange.ts';
import { RESERVED_HOST } from './own-paths.ts';
import { Reach } from './reach.ts';

interface PlainRequest {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly string[];
}

/** Where a plain request goes: to the proxy itself, or through it. */
export type PlainDestination =
  | { readonly kind: 'own'; readonly target: string }
  | { readonly kind: 'origin'; readonly authority: Authority };

/** Throws Refusal `bad_request` for a target a proxy has no use for. */
export function parsePlainDestination(
  request: PlainRequest,
  listenerAuthorities: ReadonlySet<string>,
): PlainDestination {
  const target = parseRequestTarget(request.target, request.method);
  if (target.form === 'origin') return { kind: 'own', target: target.target };
  if (target.form === 'asterisk') return { kind: 'own', target: '*' };
  if (target.scheme === 'https') {
    throw new Refusal('bad_request', {
      message: 'An https URL cannot be fetched with a plain request.',
      hint: 'Use CONNECT: set HTTPS_PROXY and let the client open a tunnel.',
    });
  }
  const name = formatAuthority(target.authority, 80);
  if (target.authority.host.text === RESERVED_HOST || listenerAuthorities.has(name)) {
    return { kind: 'own', target: target.target };
  }
  return { kind: 'origin', authority: target.authority };
}

/** Plain connections of a socket: registered when its first request was authenticated. */
const registered = new WeakMap<Socket, string>();

/** Authenticates one plain request and gives its context. Throws `ClientRefusal` or a Refusal. */
export async function plainContext(
  context: ConnectContext,
  request: PlainRequest,
  socket: Socket,
  authority: Authority,
): Promise<ExchangeContext> {
  const { plane } = context;
  const peer = socket.remoteAddress ?? '';
  const client = await authenticate(plane, context.watch, request.fields, peer);
  registerConnection(context, client, socket);
  return {
    plane,
    holder: client.holder,
    organizationId: client.snapshot.organizationId,
    target: authority,
    scheme: 'http',
    isIntercepted: false,
    reach: new Reach(plane, authority, 'http'),
  };
}

function registerConnection(context: ConnectContext, client: Client, socket: Socket): void {
  const { sandboxId } = client.holder;
  if (registered.get(socket) === sandboxId) return;
  const { open } = context.plane;
  if (!open.hasRoom(sandboxId)) throw new Refusal('too_many_connections');
  const remove = open.addConnection({
    kind: 'plain',
    holder: client.holder,
    target: null,
    address: null,
    closeByPolicy: () => socket.destroy(),
  });
  registered.set(socket, sandboxId);
  socket.once('close', remove);
}
