/**
 * The name of a secret: unique in its organization, case-sensitive, legal as the last part of an
 * environment variable and in a path.
 */
import { fieldError } from '../kernel/field-error.ts';
import { FIXED } from '../kernel/limits.ts';

const NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** Trims. ControlError `bad_request` naming `path`. */
export function parseSecretName(text: string, path = 'name'): string {
  const name = text.trim();
  if (name.length <= FIXED.secretNameCharsMax && NAME.test(name)) return name;
  throw fieldError(
    path,
    `must match ${NAME.source} and have at most ${FIXED.secretNameCharsMax} characters`,
  );
}
