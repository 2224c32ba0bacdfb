/**
 * The password of the parent proxy is a secret like any other, of organization `default`: written through
 * the API, rotated there, opened against a permit of its own. Read anew a second after it was read last, so
 * that a rotation needs no restart.
 */
import type { ParentCredentials } from '../src/egress/connect-through.ts';
import type { Clock } from '../src/kernel/clock.ts';
import { Refusal } from '../src/kernel/errors.ts';
import { FIXED } from '../src/kernel/limits.ts';
import type { Logger } from '../src/kernel/logger.ts';
import { DEFAULT_NAME } from '../src/organizations/bootstrap.ts';
import { decideParent } from '../src/policy/decide-parent.ts';
import type { ValueOpener } from '../src/policy/value-opener.ts';
import type { Settings } from '../src/settings/settings.ts';
import type { Store } from '../src/store/store.ts';
import type { UsageBook } from '../src/usage/usage-store.ts';
import type { Authority } from '../src/wire/host.ts';
import { parseParentUrl } from './compose-dialer.ts';

export interface ParentCredentialParts {
  readonly store: Pick<Store, 'organizations' | 'secrets'>;
  readonly opener: ValueOpener;
  readonly usage: Pick<UsageBook, 'markUsed'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** `null`: the parent proxy gets none. The function rejects with Refusal `upstream_unreachable`. */
export function composeParentCredentials(
  { egress }: Settings,
  parts: ParentCredentialParts,
): (() => Promise<ParentCredentials>) | null {
  const { parentProxy } = egress;
  if (parentProxy === null || parentProxy.passwordSecret === null) return null;
  const { username, passwordSecret: name, url } = parentProxy;
  const plan = { name, username: username ?? '', parent: parseParentUrl(url).authority };
  let reading: Promise<ParentCredentials> | undefined;
  let readMs = -Infinity;
  return () => {
    const nowMs = parts.clock.monotonicMs();
    if (reading === undefined || nowMs - readMs >= FIXED.parentCredentialMs) {
      readMs = nowMs;
      reading = readCredentials(plan, parts);
    }
    return reading;
  };
}

interface Plan {
  readonly name: string;
  readonly username: string;
  readonly parent: Authority;
}

async function readCredentials(plan: Plan, parts: ParentCredentialParts) {
  const { store, opener, usage, clock } = parts;
  const organization = await store.organizations.readOrganization(DEFAULT_NAME);
  if (organization === undefined) throw unusable(plan, parts, 'there is no organization default');
  const row = await store.secrets.readSecret(organization.id, plan.name);
  if (row === undefined) throw unusable(plan, parts, 'there is none of that name');
  const { id, version } = row.secret;
  const sealed = await store.secrets.readVersion(organization.id, id, version);
  if (sealed === undefined) throw unusable(plan, parts, 'it has no value');
  const decision = decideParent(row.secret, sealed, plan.parent, clock.nowMs());
  if ('fault' in decision) throw unusable(plan, parts, decision.fault);
  return {
    username: plan.username,
    password: opener.openValue(decision.permit),
    onSent: () => {
      usage.markUsed(id, sealed.id, clock.nowMs());
    },
  };
}

/** The name of the secret is for the operator, not for sandboxes. */
function unusable(plan: Plan, { logger }: ParentCredentialParts, reason: string): Refusal {
  logger.warn({ secret: plan.name, reason }, 'the password of the parent proxy cannot be used');
  return new Refusal('upstream_unreachable', {
    message: 'The parent proxy needs a password that cannot be used now.',
    hint: 'The operator has to look at egress.parent_proxy.password_secret.',
    auditDetail: `password of the parent proxy: ${reason}`,
  });
}
