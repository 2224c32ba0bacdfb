/** Who may touch what belongs to the instance and not to one organization. */
import { ControlError } from '../src/kernel/errors.ts';
import type { Actor } from '../src/organizations/actor.ts';
import { DEFAULT_NAME } from '../src/organizations/bootstrap.ts';
import type { OrganizationStore } from '../src/organizations/organization-store.ts';
import { checkRole } from '../src/organizations/roles.ts';

type Organizations = Pick<OrganizationStore, 'readOrganization'>;

/** A root key, or an admin of the organization that came with the instance. ControlError `forbidden`. */
export async function checkInstanceAccess(
  organizations: Organizations,
  actor: Actor,
): Promise<void> {
  if (actor.role === 'admin') {
    const first = await organizations.readOrganization(DEFAULT_NAME);
    if (first?.id === actor.organizationId) return;
    throw new ControlError('forbidden');
  }
  checkRole(actor, 'instance');
}

/** The same, and narrowed to nothing. ControlError `forbidden`. */
export async function checkInstanceChange(
  organizations: Organizations,
  actor: Actor,
): Promise<void> {
  await checkInstanceAccess(organizations, actor);
  if (actor.workspaceIds === null && actor.secretIds === null) return;
  throw new ControlError('forbidden', {
    message: 'This API key is narrowed to workspaces or secrets; this concerns the whole instance.',
  });
}
