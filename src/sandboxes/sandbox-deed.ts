/** What an event says of a sandbox that was made, changed or deleted. No token, no placeholder. Pure. */
import type { ActivityAction, Deed, ShownFields } from '../activity/activity.ts';
import { showChange, showSandbox } from '../activity/shown-fields.ts';
import type { Sandbox } from './sandbox.ts';

/** `said`: what was asked for beyond fields of the sandbox. At least one of the two is there. */
export function sandboxDeed(
  action: ActivityAction,
  before: Sandbox | null,
  after: Sandbox | null,
  said: ShownFields = {},
): Deed {
  const sandbox = after ?? before;
  const target = { targetId: sandbox?.id ?? '', targetName: sandbox?.name ?? '' };
  if (before !== null && after !== null) {
    const change = showChange(showSandbox(before), showSandbox(after));
    return { action, ...target, before: change.before, after: { ...change.after, ...said } };
  }
  return {
    action,
    ...target,
    before: before && showSandbox(before),
    after: after && { ...showSandbox(after), ...said },
  };
}
