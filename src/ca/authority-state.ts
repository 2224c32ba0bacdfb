/**
 * Which roots there are and which one signs: the states of a rotation, the steps between them, and the one
 * item they are stored in, so that a step happens whole or not at all. Pure but for the root a rotation
 * makes. `steady` is stored as it always was, certificate and key.
 *
 *     steady ──begin──▶ overlap ──switch──▶ switched ──finish──▶ steady
 *       ▲──────cancel─────┘
 */
import { ControlError } from '../kernel/errors.ts';
import { mintRoot, parseSigningRoot } from './root.ts';
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
  /** The new one signs; the old one is still trusted and can sign no more: its key is gone. */
  | { readonly phase: 'switched'; readonly active: SigningRoot; readonly retired: TrustedRoot };

export type RotationStep = 'begin' | 'switch' | 'finish' | 'cancel';

/** Throws ControlError `conflict` where the step does not follow. */
export function takeStep(
  state: AuthorityState,
  step: RotationStep,
  { nowMs, overlapMs }: { readonly nowMs: number; readonly overlapMs: number | null },
): AuthorityState {
  if (step === 'begin' && state.phase === 'steady') {
    const switchAtMs = overlapMs === null ? null : nowMs + overlapMs;
    return { phase: 'overlap', active: state.active, next: mintRoot(nowMs), switchAtMs };
  }
  if (step === 'switch' && state.phase === 'overlap') {
    const { certPem } = state.active;
    return { phase: 'switched', active: state.next, retired: { certPem } };
  }
  if (step === 'finish' && state.phase === 'switched') {
    return { phase: 'steady', active: state.active };
  }
  if (step === 'cancel' && state.phase === 'overlap') {
    return { phase: 'steady', active: state.active };
  }
  throw new ControlError('conflict', { message: REFUSED[state.phase] });
}

const REFUSED: Readonly<Record<AuthorityState['phase'], string>> = {
  steady: 'No rotation is under way: begin one first.',
  overlap: 'A rotation is under way: both CAs are handed out. Switch to the new one, or cancel.',
  switched: 'The new CA signs already: finish the rotation, which ends the trust in the old one.',
};

/** Every root that clients are given, the one that signs first. */
export function trustedRoots(state: AuthorityState): readonly TrustedRoot[] {
  if (state.phase === 'overlap') return [state.active, state.next];
  if (state.phase === 'switched') return [state.active, state.retired];
  return [state.active];
}

export function formatState(state: AuthorityState): string {
  const { certPem, keyPem } = state.active;
  if (state.phase === 'steady') return certPem + keyPem;
  const active = certPem + keyPem;
  if (state.phase === 'switched') {
    return JSON.stringify({ phase: 'switched', active, retired: state.retired.certPem });
  }
  const next = state.next.certPem + state.next.keyPem;
  return JSON.stringify({ phase: 'overlap', active, next, switchAtMs: state.switchAtMs });
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
    return { phase: 'switched', active, retired: { certPem: stored.retired } };
  }
  if (stored.phase === 'overlap' && stored.next !== undefined) {
    const next = parseSigningRoot(stored.next);
    return { phase: 'overlap', active, next, switchAtMs: stored.switchAtMs ?? null };
  }
  throw new Error(`an unknown state of the certificate authority: ${stored.phase}`);
}
