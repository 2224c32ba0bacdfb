/** What pausing does to a sandbox, and when a paused one is deleted. Pure; times of the wall clock. */
import type { Sandbox, SandboxStatus } from './sandbox.ts';

/** What changes when a sandbox is paused, by an admin or by its timeout. */
export function pauseAt(sandbox: Sandbox, nowMs: number): Partial<Sandbox> {
  const { autoDeleteSeconds } = sandbox;
  return {
    status: 'paused',
    pausedAtMs: nowMs,
    autoDeleteAtMs: autoDeleteSeconds === null ? null : nowMs + autoDeleteSeconds * 1_000,
  };
}

/** On a paused sandbox the countdown starts now, never retroactively. */
export function autoDeletion(
  status: SandboxStatus,
  autoDeleteSeconds: number | null,
  nowMs: number,
): Partial<Sandbox> {
  const isCounting = status === 'paused' && autoDeleteSeconds !== null;
  return {
    autoDeleteSeconds,
    autoDeleteAtMs: isCounting ? nowMs + autoDeleteSeconds * 1_000 : null,
  };
}
