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
  const isRotation = version !== null && Object.keys(change.after).length === 1;
  return {
    action: isRotation ? 'secret.rotate' : 'secret.update',
    ...targetOf(secret),
    ...change,
    widened,
  };
}

function targetOf({ id, name }: Pick<Secret, 'id' | 'name'>) {
  return { targetId: id, targetName: name };
}
