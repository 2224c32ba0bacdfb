/**
 * Plain requests to the listener (spec section 5.9): the proxy's own paths, and absolute-form http://
 * requests. Every step of an exchange, with the URL's authority in the place of the CONNECT's, and
 * authentication on each request.
 */
import type { Socket } from 'node:net';
import { Refusal } from '../src/kernel/errors.ts';
import type { TokenHolder } from '../src/policy/policy-feed.ts';
import type { Snapshot } from '../src/policy/snapshot.ts';
import { readAddress } from '../src/wire/address.ts';
import type { Authority } from '../src/wire/host.ts';
import { parseRequestTarget } from '../src/wire/request-target.ts';
import { authenticate, ClientRefusal } from './authenticate.ts';
import type { ConnectContext } from './connect.ts';
import type { DataPlane } from './data-plane.ts';
import type { ExchangeContext } from './exchange-context.ts';
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

/** Throws Refusal `bad_request` for a target a proxy has no use for. `ownHosts`: of this listener. */
export function parsePlainDestination(
  request: PlainRequest,
  socket: Socket,
  ownHosts: ReadonlySet<string>,
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
  const { authority } = target;
  if (authority.host.text === RESERVED_HOST || isListener(authority, socket, ownHosts)) {
    return { kind: 'own', target: target.target };
  }
  return { kind: 'origin', authority };
}

/** By one of its names, or by the address this very connection came to. */
function isListener({ host, port }: Authority, socket: Socket, ownHosts: ReadonlySet<string>) {
  if (port !== socket.localPort) return false;
  return ownHosts.has(host.text) || readAddress(socket.localAddress ?? '')?.text === host.text;
}

/** A plain connection counts for the sandbox and token of its latest request. */
interface Registration {
  readonly holder: TokenHolder;
  readonly remove: () => void;
}
const registered = new WeakMap<Socket, Registration>();

/** A plain request whose sandbox is known. */
export interface AdmittedPlain {
  readonly exchange: ExchangeContext;
  /** Why it goes no further; it is recorded for its sandbox all the same (I4). */
  readonly refusal: Refusal | null;
}

/** Authenticates one plain request. Throws `ClientRefusal` when nobody is behind it, or a Refusal. */
export async function admitPlain(
  context: ConnectContext,
  request: PlainRequest,
  socket: Socket,
  authority: Authority,
): Promise<AdmittedPlain> {
  const { plane } = context;
  try {
    const peer = socket.remoteAddress ?? '';
    const client = await authenticate(plane, context.watch, request.fields, peer);
    const exchange = exchangeContext(plane, client.holder, client.snapshot, authority);
    if (context.isDraining()) return { exchange, refusal: new Refusal('shutting_down') };
    return { exchange, refusal: registerConnection(plane, client.holder, socket) };
  } catch (error) {
    // A paused or expired sandbox, a token used from elsewhere; a guess that is delayed is nobody's.
    if (!(error instanceof ClientRefusal) || error.snapshot === null) throw error;
    const holder = { sandboxId: error.snapshot.sandboxId, tokenHash: '', validUntilMs: null };
    const exchange = exchangeContext(plane, holder, error.snapshot, authority);
    return { exchange, refusal: error };
  }
}

function exchangeContext(
  plane: DataPlane,
  holder: TokenHolder,
  snapshot: Snapshot,
  authority: Authority,
): ExchangeContext {
  return {
    plane,
    holder,
    organizationId: snapshot.organizationId,
    target: authority,
    scheme: 'http',
    isIntercepted: false,
    reach: new Reach(plane, authority, 'http'),
  };
}

/** `too_many_connections` when the sandbox has no room for another one. */
function registerConnection(plane: DataPlane, holder: TokenHolder, socket: Socket): Refusal | null {
  const earlier = registered.get(socket);
  if (earlier !== undefined) {
    const isSame = earlier.holder.sandboxId === holder.sandboxId;
    if (isSame && earlier.holder.tokenHash === holder.tokenHash) return null;
    registered.delete(socket);
    socket.off('close', earlier.remove);
    earlier.remove();
  }
  if (!plane.open.hasRoom(holder.sandboxId)) return new Refusal('too_many_connections');
  const remove = plane.open.addConnection({
    kind: 'plain',
    serverName: null,
    holder,
    target: null,
    address: null,
    tunnelledBytes: 0,
    closeByPolicy: () => socket.destroy(),
  });
  registered.set(socket, { holder, remove });
  socket.once('close', remove);
  return null;
}
