/** The whole corpus in one list; names are unique. */
import type { AttackCase } from '../attack-case.ts';
import { CHUNKS } from './chunks.ts';
import { CREDENTIALS } from './credentials.ts';
import { FIELD_LINES } from './field-lines.ts';
import { FRAMING } from './framing.ts';
import { PIPELINES } from './pipelines.ts';
import { REQUEST_LINES } from './request-lines.ts';

export const CORPUS: readonly AttackCase[] = [
  ...FRAMING,
  ...CHUNKS,
  ...REQUEST_LINES,
  ...FIELD_LINES,
  ...CREDENTIALS,
  ...PIPELINES,
];
