/** What the views of the TrueFoundry façade need besides rows: the tenant and who its keys are. */
import { ControlError } from '../../src/kernel/errors.ts';
import type { Actor } from '../../src/organizations/actor.ts';
import type { AdminDeps } from '../deps.ts';
import type { ViewContext } from './truefoundry-view.ts';

export async function readViewContext(
  { organizations, apiKeys }: Pick<AdminDeps, 'organizations' | 'apiKeys'>,
  actor: Actor,
): Promise<ViewContext> {
  const organization = await organizations.readOrganization(actor.organizationId);
  if (organization === undefined) throw new ControlError('not_found');
  return { organization, keys: await apiKeys.readSubjects(actor) };
}
