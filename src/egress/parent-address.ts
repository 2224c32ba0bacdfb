/**
 * Where the parent proxy is: its own address, resolved here like any name. It is the operator's word, so
 * the guard does not judge it, but it is never one of our own listeners.
 */
import { Refusal } from '../kernel/errors.ts';
import type { AddressGuard } from '../policy/address-guard.ts';
import type { Authority } from '../wire/host.ts';
import type { Resolution, Resolver } from './resolve.ts';

export interface ParentLocator {
  readonly authority: Authority;
  readonly resolver: Pick<Resolver, 'resolve'>;
  readonly guard: AddressGuard;
}

/** Stands for what only the parent resolves. */
export interface ParentEndpoint extends Resolution {
  readonly dialPort: number;
  readonly isByParent: true;
}

/** Its addresses and the port to dial. Rejects with Refusal `upstream_unreachable`. */
export async function resolveParent(locator: ParentLocator): Promise<ParentEndpoint> {
  const { authority, guard } = locator;
  const { addresses, dialPort } = await lookUp(locator);
  const port = dialPort ?? authority.port;
  if (addresses.some((address) => guard.classify(address, port) === 'listener')) {
    throw new Refusal('upstream_unreachable', {
      message: 'The parent proxy is this proxy itself.',
      hint: 'The operator has to correct egress.parent_proxy.url.',
    });
  }
  return { addresses, dialPort: port, isByParent: true };
}

/** Whoever reads `dns_failed` thinks of the host that was asked for. */
async function lookUp({ authority, resolver }: ParentLocator): Promise<Resolution> {
  try {
    return await resolver.resolve(authority.host, PARENT_LOOKUPS);
  } catch (cause) {
    throw new Refusal('upstream_unreachable', {
      message: 'The name of the parent proxy could not be resolved.',
      hint: 'The operator has to look at egress.parent_proxy.url and egress.dns.',
      auditDetail: 'name of the parent proxy not resolved',
      cause,
    });
  }
}

/** Stands where look-ups are counted by sandbox. */
const PARENT_LOOKUPS = 'parent proxy';
