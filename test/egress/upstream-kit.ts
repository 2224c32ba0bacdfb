/** An upstream over a real dialer, and what has to be closed after each test. */
import { createUpstream } from '../../src/egress/create-upstream.ts';
import { createDialer } from '../../src/egress/dial.ts';
import { createTrust } from '../../src/egress/trust.ts';
import type { Trust } from '../../src/egress/trust.ts';
import type { Upstream } from '../../src/egress/upstream.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/limits.ts';
import type { Limits } from '../../src/kernel/limits.ts';
import { startRawOrigin } from './raw-origin.ts';
import type { OnBytes, RawOrigin } from './raw-origin.ts';

const trust = createTrust({ extraCaPems: [] });
const open: { close(): Promise<void> }[] = [];

interface UpstreamSettings {
  readonly limits?: Partial<Limits>;
  readonly poolScope?: 'organization' | 'sandbox';
  readonly trust?: Trust;
  readonly isHttp1Only?: (host: string) => boolean;
}

export function upstreamWith(settings: UpstreamSettings = {}): Upstream {
  const limits = { ...DEFAULT_LIMITS, ...settings.limits };
  const dialer = createDialer({ trust: settings.trust ?? trust, limits });
  const poolScope = settings.poolScope ?? 'organization';
  const isHttp1Only = settings.isHttp1Only ?? (() => false);
  const upstream = createUpstream({ dialer, limits, poolScope, isHttp1Only });
  open.push(upstream);
  return upstream;
}

export async function originWith(
  onBytes: OnBytes,
  options: Parameters<typeof startRawOrigin>[1] = {},
): Promise<RawOrigin> {
  const origin = await startRawOrigin(onBytes, options);
  open.push(origin);
  return origin;
}

/** Closed after the test. */
export function closeLater<T extends { close(): Promise<void> }>(item: T): T {
  open.push(item);
  return item;
}

export async function closeAll(): Promise<void> {
  await Promise.all(open.splice(0).map((item) => item.close()));
}

/** Lets everything that is ready happen: idle sockets are judged a turn of the loop later. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
