/**
 * What an event says of a secret that was made, changed or deleted, through whichever face. A value shows
 * as a new `version` and never as itself. Pure.
 */
import type { Deed } from '../activity/activity.ts';
import { showChange, showSecret } from '../activity/shown-fields.ts';
import type { DraftedChange } from './secret-drafter.ts';
import type { Secret } from './secret.ts';

export function creationDeed(secret: Secret): Deed {
  return { action: 'secret.create', ...targetOf(secret), before: null, after: showSecret(secret) };
}

export function deletionDeed(secret: Secret): Deed {
  return { action: 'secret.delete', ...targetOf(secret), before: showSecret(secret), after: null };
}

/** A new value and nothing else is a rotation. */
export function changeDeed(before: Secret, { secret, version, widened }: DraftedChange): Deed {
  const change = showChange(showSecret(before), showSecret(secret));
  const isRotation = version !== null && Object.keys(change.after).every(isOfRotation);
  return {
    action: isRotation ? 'secret.rotate' : 'secret.update',
    ...targetOf(secret),
    ...change,
    widened,
  };
}

/** An earlier version became active again. */
export function rollbackDeed(before: Secret, after: Secret): Deed {
  const change = showChange(showSecret(before), showSecret(after));
  return { action: 'secret.rollback', ...targetOf(after), ...change };
}

function isOfRotation(field: string): boolean {
  return field === 'version' || field === 'overlap_ends_at';
}

function targetOf({ id, name }: Pick<Secret, 'id' | 'name'>) {
  return { targetId: id, targetName: name };
}
