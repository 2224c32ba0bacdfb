/** How origins take a version: refused credentials since one was last accepted. Pure data. */
import type { AuthFailureKind } from '../usage/auth-failure.ts';

export interface SecretHealth {
  readonly authFailures: number;
  /** Of the last refusal, also when the credential was accepted since. */
  readonly lastAuthFailureAtMs: number | null;
  readonly authFailureKind: AuthFailureKind | null;
}

/** Of a version that no origin has said anything about. */
export const UNTRIED: SecretHealth = {
  authFailures: 0,
  lastAuthFailureAtMs: null,
  authFailureKind: null,
};
