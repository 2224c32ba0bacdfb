/**
 * May this secret be the password of the parent proxy? The operator named it in the configuration; what the
 * secret says of itself still holds: not disabled, not expired, and one that names hosts must name the
 * parent. Grants a permit for a CONNECT to the parent and nothing else (I2). Pure.
 */
import type { SealedVersion, Secret } from '../secrets/secret.ts';
import type { Authority } from '../wire/host.ts';
import { matchesHost, parseHostPattern } from './host-pattern.ts';
import { Permit } from './permit.ts';

export type ParentDecision =
  | { readonly permit: Permit }
  /** For the operator's log. */
  | { readonly fault: string };

export function decideParent(
  secret: Secret,
  version: SealedVersion,
  parent: Authority,
  nowMs: number,
): ParentDecision {
  if (secret.disabled) return { fault: 'it is disabled' };
  if (secret.expiresAtMs !== null && secret.expiresAtMs <= nowMs)
    return { fault: 'it has expired' };
  if (secret.auth !== null && !namesParent(secret, parent)) {
    return { fault: 'its hosts or ports do not include the parent proxy' };
  }
  const permit = Permit.grant({
    organizationId: secret.organizationId,
    sandboxId: '',
    secretId: secret.id,
    version,
    host: parent.host.text,
    port: parent.port,
    method: 'CONNECT',
    path: '',
  });
  return { permit };
}

function namesParent({ hosts, ports }: Secret, { host, port }: Authority): boolean {
  if (!ports.includes(port)) return false;
  return hosts.some((text) => matchesHost(parseHostPattern(text, 'one'), host));
}
