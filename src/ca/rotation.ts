/**
 * Rotating the certificate authority as admins do it: each step recorded, the switch also by itself when
 * its time has come (`ca.rotation_overlap`). Who may is asked by the routes: it concerns the instance.
 */
import type { DeedRecorder } from '../activity/activity-journal.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Actor } from '../organizations/actor.ts';
import type { AuthorityState, RotationStep } from './authority-state.ts';
import type { RotatableAuthority } from './authority.ts';
import { viewRoot } from './root.ts';
import type { RootView } from './root.ts';

export interface CaRotationDeps {
  readonly authority: RotatableAuthority;
  readonly activity: DeedRecorder;
  readonly clock: Clock;
  readonly logger: Logger;
  /** `null`: the switch waits for an admin. */
  readonly overlapMs: number | null;
}

export interface AuthorityView {
  readonly phase: AuthorityState['phase'];
  readonly active: RootView;
  /** Takes over at the switch. */
  readonly next: RootView | null;
  /** Trusted until the rotation is finished. */
  readonly retired: RootView | null;
  readonly switchAtMs: number | null;
}

const ACTIONS = {
  begin: 'ca.rotate',
  switch: 'ca.switch',
  finish: 'ca.finish',
  cancel: 'ca.cancel',
} as const;

/** How often it is asked whether the switch is due; and a timer cannot be set for weeks. */
const LOOK_EVERY_MS = 30_000;
const WARN_BEFORE_END_MS = 180 * 24 * 3_600_000;

export class CaRotation {
  readonly #deps: CaRotationDeps;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(deps: CaRotationDeps) {
    this.#deps = deps;
    this.#warnOfEnd();
    this.#schedule();
  }

  describe(): AuthorityView {
    const { state } = this.#deps.authority;
    return {
      phase: state.phase,
      active: viewRoot(state.active),
      next: state.phase === 'overlap' ? viewRoot(state.next) : null,
      retired: state.phase === 'switched' ? viewRoot(state.retired) : null,
      switchAtMs: state.phase === 'overlap' ? state.switchAtMs : null,
    };
  }

  /** ControlError `conflict` where the step does not follow. `overlapMs` counts for `begin`. */
  async take(
    actor: Actor,
    step: RotationStep,
    overlapMs: number | null = this.#deps.overlapMs,
  ): Promise<AuthorityView> {
    const { authority, activity, logger } = this.#deps;
    const before = this.describe();
    await authority.take(step, overlapMs);
    const after = this.describe();
    logger.info({ step, phase: after.phase, signs: after.active.fingerprint }, 'CA rotation');
    await activity.recordDone(actor, {
      action: ACTIONS[step],
      targetId: after.active.fingerprint,
      targetName: after.active.subject,
      before: shown(before),
      after: shown(after),
    });
    this.#schedule();
    return after;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Once at start; `sallyport_ca_end_timestamp_seconds` tells whoever does not restart. */
  #warnOfEnd(): void {
    const { clock, logger } = this.#deps;
    const { notAfterMs } = this.describe().active;
    const leftMs = notAfterMs - clock.nowMs();
    const ends = new Date(notAfterMs).toISOString();
    if (leftMs <= 0) {
      logger.error(
        { ends },
        'the CA is over: bound hosts are refused, tunnels go on. Check the clock, then rotate it (sallyport ca rotate)',
      );
    } else if (leftMs <= WARN_BEFORE_END_MS) {
      logger.warn({ ends }, 'the CA ends soon: rotate it (sallyport ca rotate)');
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const dueAtMs = this.#switchDueAtMs();
    if (this.#isClosed || dueAtMs === null) return;
    const leftMs = Math.max(0, dueAtMs - this.#deps.clock.nowMs());
    this.#timer = setTimeout(
      () => {
        this.#switchIfDue().catch((error: unknown) => {
          this.#deps.logger.error({ err: error }, 'the CA could not be switched; trying again');
          this.#retry();
        });
      },
      Math.min(leftMs, LOOK_EVERY_MS),
    );
    this.#timer.unref();
  }

  /** When it was set to, and with the end of the old one at the latest; `null`: nothing to switch to. */
  #switchDueAtMs(): number | null {
    const { state } = this.#deps.authority;
    if (state.phase !== 'overlap') return null;
    return Math.min(state.switchAtMs ?? Infinity, viewRoot(state.active).notAfterMs);
  }

  #retry(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => this.#schedule(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  async #switchIfDue(): Promise<void> {
    const { authority, clock, logger } = this.#deps;
    const dueAtMs = this.#switchDueAtMs();
    if (dueAtMs === null) return;
    if (clock.nowMs() >= dueAtMs) {
      await authority.take('switch', null);
      const { fingerprint } = viewRoot(authority.state.active);
      logger.info({ step: 'switch', signs: fingerprint }, 'CA rotation: switched by itself');
    }
    this.#schedule();
  }
}

function shown({ phase, active, next, retired, switchAtMs }: AuthorityView) {
  return {
    phase,
    active: active.fingerprint,
    next: next?.fingerprint ?? null,
    retired: retired?.fingerprint ?? null,
    switch_at: switchAtMs === null ? null : new Date(switchAtMs).toISOString(),
  };
}
