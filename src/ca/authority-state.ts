/**
 * Which roots there are and which one signs: the states of a rotation, the steps between them, and the one
 * item they are stored in, so that a step happens whole or not at all. Pure but for the root a rotation
 * makes. `steady` is stored as it always was, certificate and key.
 *
 * A root whose time is over is replaced at once: `begin` leads to `switched`.
 *
 *     steady ──begin──▶ overlap ──switch──▶ switched ──finish──▶ steady (the new one)
 *       ▲──────cancel─────┴───────cancel───────┘
 */
import { ControlError } from '../kernel/errors.ts';
import { mintRoot, parseSigningRoot, viewRoot } from './root.ts';
import type { SigningRoot, TrustedRoot } from './root.ts';

export type AuthorityState =
  | { readonly phase: 'steady'; readonly active: SigningRoot }
  /** Clients are given both; the old one still signs. */
  | {
      readonly phase: 'overlap';
      readonly active: SigningRoot;
      readonly next: SigningRoot;
      /** When the next one takes over by itself, ms; `null`: when an admin says so. */
      readonly switchAtMs: number | null;
    }
  /** The new one signs; the old one is still trusted, and kept for those who must go back. */
  | { readonly phase: 'switched'; readonly active: SigningRoot; readonly retired: SigningRoot };

export type RotationStep = 'begin' | 'switch' | 'finish' | 'cancel';

/** Throws ControlError `conflict` where the step does not follow. */
export function takeStep(
  state: AuthorityState,
  step: RotationStep,
  { nowMs, overlapMs }: { readonly nowMs: number; readonly overlapMs: number | null },
): AuthorityState {
  if (step === 'begin' && state.phase === 'steady') {
    const next = mintRoot(nowMs);
    // One that is over signs for nobody: there is no overlap to wait for, but a way back for wrong clocks.
    if (viewRoot(state.active).notAfterMs <= nowMs) {
      return { phase: 'switched', active: next, retired: state.active };
    }
    const switchAtMs = overlapMs === null ? null : nowMs + overlapMs;
    return { phase: 'overlap', active: state.active, next, switchAtMs };
  }
  if (step === 'switch' && state.phase === 'overlap') {
    return { phase: 'switched', active: state.next, retired: state.active };
  }
  if (step === 'finish' && state.phase === 'switched') {
    return { phase: 'steady', active: state.active };
  }
  if (step === 'cancel' && state.phase === 'overlap') {
    return { phase: 'steady', active: state.active };
  }
  if (step === 'cancel' && state.phase === 'switched') {
    return { phase: 'steady', active: state.retired };
  }
  throw new ControlError('conflict', { message: REFUSED[state.phase] });
}

const REFUSED: Readonly<Record<AuthorityState['phase'], string>> = {
  steady: 'No rotation is under way: begin one first.',
  overlap: 'A rotation is under way: both CAs are handed out. Switch to the new one, or cancel.',
  switched: 'The new CA signs already: finish, which ends the trust in the old one, or cancel.',
};

/** Every root that clients are given, the one that signs first. */
export function trustedRoots(state: AuthorityState): readonly TrustedRoot[] {
  if (state.phase === 'overlap') return [state.active, state.next];
  if (state.phase === 'switched') return [state.active, state.retired];
  return [state.active];
}

export function formatState(state: AuthorityState): string {
  const active = pemOf(state.active);
  if (state.phase === 'steady') return active;
  const { phase } = state;
  if (phase === 'switched') {
    return JSON.stringify({ phase, active, retired: pemOf(state.retired) });
  }
  const { switchAtMs } = state;
  return JSON.stringify({ phase, active, next: pemOf(state.next), switchAtMs });
}

function pemOf({ certPem, keyPem }: SigningRoot): string {
  return certPem + keyPem;
}

/** Throws a plain Error. */
export function parseState(text: string): AuthorityState {
  if (text.startsWith('-----BEGIN')) return { phase: 'steady', active: parseSigningRoot(text) };
  const stored = JSON.parse(text) as {
    readonly phase: string;
    readonly active: string;
    readonly next?: string;
    readonly retired?: string;
    readonly switchAtMs?: number | null;
  };
  const active = parseSigningRoot(stored.active);
  if (stored.phase === 'switched' && stored.retired !== undefined) {
    return { phase: 'switched', active, retired: parseSigningRoot(stored.retired) };
  }
  if (stored.phase === 'overlap' && stored.next !== undefined) {
    const next = parseSigningRoot(stored.next);
    return { phase: 'overlap', active, next, switchAtMs: stored.switchAtMs ?? null };
  }
  throw new Error(`an unknown state of the certificate authority: ${stored.phase}`);
}
