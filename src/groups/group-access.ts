/**
 * Who may do what with a group: organization admins everything, everybody else what the manifest grants
 * the subject of their key. A group that grants nothing looks absent. Pure.
 */
import { ControlError } from '../kernel/errors.ts';
import type { Actor } from '../organizations/actor.ts';
import { GROUP_ROLES, type GroupRole, type SecretGroup } from './secret-group.ts';

export function isOrganizationAdmin(actor: Actor): boolean {
  return actor.role === 'admin' || actor.role === 'root';
}

/** `null`: none. The highest, where a subject is named twice. */
export function decideGroupRole(actor: Actor, group: SecretGroup): GroupRole | null {
  if (isOrganizationAdmin(actor)) return 'secret-group-admin';
  const granted = (group.manifest?.collaborators ?? [])
    .filter(({ subject }) => subject === actor.subject)
    .map(({ role }) => GROUP_ROLES.indexOf(role));
  return granted.length === 0 ? null : (GROUP_ROLES[Math.max(...granted)] ?? null);
}

/** ControlError `not_found` where the group shows nothing to the actor, `forbidden` where too little. */
export function checkGroupRole(actor: Actor, group: SecretGroup, needed: GroupRole): void {
  const role = decideGroupRole(actor, group);
  if (role === null) throw new ControlError('not_found', { message: 'There is no such group.' });
  if (GROUP_ROLES.indexOf(role) >= GROUP_ROLES.indexOf(needed)) return;
  throw new ControlError('forbidden', {
    message: `This API key is ${role} of the group; this needs ${needed}.`,
  });
}

/** Writing a group decides about all its secrets, so a key narrowed to some cannot. */
export function checkWholeReach(actor: Actor): void {
  if (actor.secretIds === null) return;
  throw new ControlError('forbidden', {
    message: 'This API key is narrowed to single secrets; it cannot write groups.',
  });
}
