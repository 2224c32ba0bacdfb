/**
 * `NAME` or `NAME=ENV_KEY`: a secret and the variable its placeholder goes into. Without the variable it
 * follows from the name: `github-prod` is `GITHUB_PROD`.
 */
import { InvalidArgumentError } from 'commander';

export interface SecretReference {
  readonly secretName: string;
  readonly envKey: string;
}

const ENV_KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The variable name that follows from a secret's name. */
export function envKeyOf(secretName: string): string {
  const key = secretName.toUpperCase().replaceAll(/[^A-Z0-9_]/g, '_');
  return /^\d/.test(key) ? `_${key}` : key;
}

/** InvalidArgumentError when the variable is not one a shell can have. */
export function parseSecretReference(text: string): SecretReference {
  const at = text.indexOf('=');
  const secretName = at < 0 ? text : text.slice(0, at);
  const envKey = at < 0 ? envKeyOf(text) : text.slice(at + 1);
  if (secretName === '') throw new InvalidArgumentError('Expected NAME or NAME=ENV_KEY.');
  if (!ENV_KEY.test(envKey)) {
    throw new InvalidArgumentError(`"${envKey}" cannot be the name of a variable.`);
  }
  return { secretName, envKey };
}

/** The `secrets` map of a sandbox. InvalidArgumentError when two want the same variable. */
export function collectSecrets(
  text: string,
  previous: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const { secretName, envKey } = parseSecretReference(text);
  const other = previous[envKey];
  if (other !== undefined && other !== secretName) {
    throw new InvalidArgumentError(`${envKey} is taken by ${other}; write NAME=ENV_KEY.`);
  }
  return { ...previous, [envKey]: secretName };
}
