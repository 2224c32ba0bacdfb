/**
 * What a clock does to sandboxes: pauses those whose timeout is over, deletes those paused for long
 * enough. Looks every half second, so that both happen within one; a store that does not answer is asked
 * again at the next look. Each change is announced like an admin's.
 */
import type { Clock } from '../kernel/clock.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Logger } from '../kernel/logger.ts';
import type { PolicyChanges } from '../policy/policy-feed.ts';
import { pauseAt } from './sandbox-pause.ts';
import type { DueSandbox, SandboxStore } from './sandbox-store.ts';
import type { Sandbox } from './sandbox.ts';

export interface SandboxLifecycleOptions {
  readonly store: Pick<
    SandboxStore,
    'listDueSandboxes' | 'readSandbox' | 'updateSandbox' | 'deleteSandbox'
  >;
  readonly changes: PolicyChanges;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Sandboxes handled at one look; the rest follow at the next. */
const BATCH_MAX = 100;

export interface SandboxLifecycle {
  /** Waits for a look that is under way. */
  close(): Promise<void>;
}

export function startSandboxLifecycle(options: SandboxLifecycleOptions): SandboxLifecycle {
  let running: Promise<void> | null = null;
  const timer = setInterval(() => {
    if (running !== null) return;
    running = settleDueSandboxes(options).then(() => {
      running = null;
    });
  }, FIXED.policySweepMs);
  timer.unref();
  return {
    async close() {
      clearInterval(timer);
      await running;
    },
  };
}

/** One look. Never rejects. */
export async function settleDueSandboxes(options: SandboxLifecycleOptions): Promise<void> {
  const { store, clock, logger } = options;
  try {
    const due = await store.listDueSandboxes(clock.nowMs(), BATCH_MAX);
    for (const sandbox of due) await settle(options, sandbox);
  } catch (cause) {
    logger.warn({ err: cause }, 'due sandboxes could not be settled; trying again');
  }
}

/** Reads it again: since the list was made an admin may have resumed or re-armed it. */
async function settle(options: SandboxLifecycleOptions, due: DueSandbox): Promise<void> {
  const { organizationId, id } = due;
  const row = await options.store.readSandbox(organizationId, id);
  if (row === undefined) return;
  const { sandbox } = row;
  const nowMs = options.clock.nowMs();
  if (due.due === 'delete' && isDeletionDue(sandbox, nowMs)) {
    if (!(await options.store.deleteSandbox(organizationId, id))) return;
  } else if (due.due === 'pause' && isPauseDue(sandbox, nowMs)) {
    const revision = sandbox.revision + 1;
    const paused = { ...sandbox, ...pauseAt(sandbox, nowMs), updatedAtMs: nowMs, revision };
    if (!(await options.store.updateSandbox(paused))) return;
  } else {
    return;
  }
  await options.changes.announce({ kind: 'sandbox', organizationId, sandboxId: id });
}

function isPauseDue(sandbox: Sandbox, nowMs: number): boolean {
  if (sandbox.status === 'paused' || sandbox.timeoutSeconds === null) return false;
  return sandbox.armedAtMs + sandbox.timeoutSeconds * 1_000 <= nowMs;
}

function isDeletionDue(sandbox: Sandbox, nowMs: number): boolean {
  return sandbox.autoDeleteAtMs !== null && sandbox.autoDeleteAtMs <= nowMs;
}
