/**
 * What is looked for in the responses of one set of values, compiled: the automaton that decides, and the
 * probe that lets it skip what cannot matter. Never changed, shared by exchanges.
 */
import { FormAutomaton } from './form-automaton.ts';
import { FormProbe } from './form-probe.ts';
import type { ValueForm } from './value-form.ts';

export interface FormMatcher {
  readonly automaton: FormAutomaton;
  readonly probe: FormProbe | undefined;
  /** What it takes in memory. */
  readonly bytes: number;
}

/** `forms`: at least one. */
export function compileForms(forms: readonly ValueForm[]): FormMatcher {
  const automaton = new FormAutomaton(forms);
  const probe = FormProbe.of(forms);
  return { automaton, probe, bytes: automaton.bytes + (probe?.bytes ?? 0) };
}
