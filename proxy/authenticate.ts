/**
 * Who is asking (spec section 2). A missing credential is a challenge, not a failure; an unknown token
 * is counted against its address. The answer always comes with a current snapshot.
 */
import { Refusal } from '../src/kernel/errors.ts';
import { hashToken } from '../src/kernel/ids.ts';
import { decideSandbox, isSourceAllowed } from '../src/policy/decide-sandbox.ts';
import type { PolicyFeed, TokenHolder } from '../src/policy/policy-feed.ts';
import type { Snapshot } from '../src/policy/snapshot.ts';
import { readAddress } from '../src/wire/address.ts';
import type { Address } from '../src/wire/address.ts';
import { readProxyAuthorization } from '../src/wire/basic-credentials.ts';
import { fieldValues } from '../src/wire/field-list.ts';
import type { DataPlane } from './data-plane.ts';
import type { UnknownTokenWatch } from './unknown-token-watch.ts';

/** A client of the proxy that proved who it is. */
export interface Client {
  readonly holder: TokenHolder;
  readonly snapshot: Snapshot;
}

/** A client that may not go on: a 407 challenge, or a paused sandbox. */
export class ClientRefusal extends Refusal {
  /** How long the answer must wait, in milliseconds. */
  readonly delayMs: number;
  /** The sandbox the credentials belong to, for its audit trail; `null`: nobody's. */
  readonly snapshot: Snapshot | null;

  constructor(
    code: 'proxy_auth_required' | 'sandbox_paused',
    options: { delayMs?: number; snapshot?: Snapshot; message?: string } = {},
  ) {
    super(code, options.message === undefined ? {} : { message: options.message });
    this.delayMs = options.delayMs ?? 0;
    this.snapshot = options.snapshot ?? null;
  }
}

/**
 * The sandbox behind a request to the proxy. Throws `ClientRefusal` (407, or
 * `sandbox_paused`), or Refusal `policy_unavailable`, `bad_request` (several credentials).
 */
export async function authenticate(
  plane: DataPlane,
  watch: UnknownTokenWatch,
  fields: readonly string[],
  peerAddress: string,
): Promise<Client> {
  const shown = fieldValues(fields, 'proxy-authorization');
  if (shown.length > 1) {
    throw new Refusal('bad_request', { message: 'Proxy-Authorization was sent more than once.' });
  }
  const holder =
    shown[0] === undefined
      ? await identifyBySource(plane, peerAddress)
      : await holderOfToken(plane, watch, shown[0], peerAddress);
  const snapshot = await plane.feed.snapshotOf(holder.sandboxId);
  if (snapshot === undefined) throw invalidToken(watch.delayMs(peerAddress));
  judgeClient(snapshot, peerAddress, plane.clock.nowMs());
  return { holder, snapshot };
}

async function identifyBySource(plane: DataPlane, peerAddress: string): Promise<TokenHolder> {
  const holder = plane.identifyBySource ? await plane.feed.holderBySource(peerAddress) : undefined;
  if (holder === undefined) throw new ClientRefusal('proxy_auth_required');
  return holder;
}

async function holderOfToken(
  plane: DataPlane,
  watch: UnknownTokenWatch,
  shown: string,
  peerAddress: string,
): Promise<TokenHolder> {
  const credentials = readProxyAuthorization(shown);
  if (credentials !== undefined) {
    const holder = await plane.feed.holderOf(hashToken(credentials.token));
    if (holder !== undefined) return holder;
  }
  throw invalidToken(watch.delayMs(peerAddress));
}

function judgeClient(snapshot: Snapshot, peerAddress: string, nowMs: number): void {
  const refusal = decideSandbox(snapshot, nowMs);
  if (refusal?.code === 'sandbox_paused') throw new ClientRefusal('sandbox_paused', { snapshot });
  if (refusal !== null) {
    throw new ClientRefusal('proxy_auth_required', { snapshot, message: refusal.message });
  }
  const address = readPeer(peerAddress);
  if (address === undefined || !isSourceAllowed(snapshot, address)) {
    throw new ClientRefusal('proxy_auth_required', {
      snapshot,
      message: 'This token does not work from this address.',
    });
  }
}

/** A listener on every address sees IPv4 clients as `::ffff:a.b.c.d`. */
function readPeer(text: string): Address | undefined {
  return readAddress(text.startsWith('::ffff:') ? text.slice('::ffff:'.length) : text);
}

function invalidToken(delayMs: number): ClientRefusal {
  return new ClientRefusal('proxy_auth_required', {
    delayMs,
    message: 'The sandbox token is not valid.',
  });
}

/** Does what authenticated this connection still do so? */
export async function authenticateAgain(
  feed: PolicyFeed,
  holder: TokenHolder,
  nowMs: number,
): Promise<boolean> {
  if (holder.tokenHash === '') return true;
  const current = await feed.holderOf(holder.tokenHash);
  if (current === undefined || current.sandboxId !== holder.sandboxId) return false;
  return current.validUntilMs === null || current.validUntilMs > nowMs;
}

/**
 * The policy as of this request, inside what is already open (spec section 5.3): the token is looked up
 * again, since it may have been replaced since the CONNECT. Synchronous while warm. Refusals
 * `sandbox_revoked`, `sandbox_expired`, `sandbox_paused`, `policy_unavailable`.
 */
export function currentSnapshot(
  feed: PolicyFeed,
  holder: TokenHolder,
  nowMs: number,
): Snapshot | Promise<Snapshot> {
  const current = holder.tokenHash === '' ? holder : feed.holderOf(holder.tokenHash);
  const snapshot = feed.snapshotOf(holder.sandboxId);
  if (current instanceof Promise || snapshot instanceof Promise) {
    return Promise.all([current, snapshot]).then(([one, two]) => judgeCurrent(one, two, nowMs));
  }
  return judgeCurrent(current, snapshot, nowMs);
}

function judgeCurrent(
  holder: TokenHolder | undefined,
  snapshot: Snapshot | undefined,
  nowMs: number,
): Snapshot {
  if (holder === undefined || snapshot === undefined) throw new Refusal('sandbox_revoked');
  if (holder.validUntilMs !== null && holder.validUntilMs <= nowMs) {
    throw new Refusal('sandbox_revoked');
  }
  const refusal = decideSandbox(snapshot, nowMs);
  if (refusal !== null) throw refusal;
  return snapshot;
}
