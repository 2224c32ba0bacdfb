/**
 * What each role may do: one table, one question. Roles decide about kinds of action; the narrowing of a
 * key to workspaces and secrets decides about things, and makes them look absent (`not_found`).
 */
import { ControlError } from '../kernel/errors.ts';
import type { Actor } from './actor.ts';
import type { ApiKey, Role } from './organization.ts';

/** `instance` is what concerns the whole process (metrics), not one organization. */
export type Action = 'read' | 'operate' | 'administer' | 'instance';

const ALLOWED: Readonly<Record<Role, readonly Action[]>> = {
  root: ['read', 'operate', 'administer', 'instance'],
  admin: ['read', 'operate', 'administer'],
  operator: ['read', 'operate'],
  viewer: ['read'],
};

/** Throws ControlError `forbidden` when the role of `actor` does not include `action`. */
export function checkRole(actor: Actor, action: Action): void {
  if (ALLOWED[actor.role].includes(action)) return;
  throw new ControlError('forbidden', {
    message: `This API key has the role ${actor.role}, which does not include this.`,
  });
}

export function isWorkspaceInReach(actor: Actor, workspaceId: string): boolean {
  return actor.workspaceIds === null || actor.workspaceIds.includes(workspaceId);
}

export function isSecretInReach(actor: Actor, secretId: string): boolean {
  return actor.secretIds === null || actor.secretIds.includes(secretId);
}

/** Does `key` reach no further than `actor`? What does not is absent to a narrowed key, like everything else. */
export function isKeyInReach(
  actor: Actor,
  key: Pick<ApiKey, 'workspaceIds' | 'secretIds'>,
): boolean {
  return isWithin(actor.workspaceIds, key.workspaceIds) && isWithin(actor.secretIds, key.secretIds);
}

/** `null` stands for everything. */
function isWithin(reach: readonly string[] | null, asked: readonly string[] | null): boolean {
  if (reach === null) return true;
  return asked !== null && asked.every((id) => reach.includes(id));
}
