/**
 * Do hosts of a secret meet `egress.never_intercept`? On such a host nothing can be injected, so nothing is
 * bound there, and what is bound is not pointed there. Pure; hosts are canonical.
 */
import { fieldError } from '../kernel/field-error.ts';
import { matchesHost, type HostPattern } from '../policy/host-pattern.ts';
import { readAddress } from '../wire/address.ts';
import { secretHostPattern } from './secret-hosts.ts';

/** ControlError `bad_request` naming `path`, where a pattern of the operator touches one of `hosts`. */
export function checkInterceptable(
  hosts: readonly string[],
  neverIntercept: readonly HostPattern[],
  path: string,
): void {
  for (const host of hosts) {
    const pattern = neverIntercept.find((never) => concerns(never, host));
    if (pattern === undefined) continue;
    throw fieldError(
      path,
      `${host} is never intercepted (egress.never_intercept: ${pattern.text}), so nothing could be injected`,
    );
  }
}

/** Does the operator's pattern touch this host of a secret, which may be a wildcard itself? */
function concerns(never: HostPattern, host: string): boolean {
  const own = secretHostPattern(host);
  if (own.kind === 'exact') {
    return matchesHost(never, { kind: readAddress(host) ? 'ipv4' : 'name', text: host });
  }
  if (never.kind === 'exact') return matchesHost(own, { kind: 'name', text: never.text });
  return own.suffix === never.suffix || own.suffix.endsWith(never.suffix);
}
