/** What a client says about a group, and the checks that do not depend on what is stored. */
import { fieldError } from '../kernel/field-error.ts';
import { ControlError } from '../kernel/errors.ts';
import type { SecretInput } from '../secrets/secret-input.ts';
import { DEFAULT_GROUP, isGroupPart } from '../secrets/secret-reference.ts';
import type { GroupManifest } from './secret-group.ts';

export interface KeyInput {
  readonly key: string;
  readonly input: SecretInput;
}

export interface GroupInput {
  readonly name: string;
  readonly integrationId: string | null;
  readonly secrets: readonly KeyInput[];
}

const RULE = 'must begin with a letter or digit and have at most 128 of letters, digits, . _ -';

/** ControlError `bad_request`, or `conflict` for the built-in group. */
export function checkGroupName(name: string, path: string): void {
  if (!isGroupPart(name)) throw fieldError(path, RULE);
  if (name === DEFAULT_GROUP) throw builtIn();
}

/** Keys as they may stand in one group, each once. ControlError `bad_request`. */
export function checkKeys(secrets: readonly KeyInput[]): void {
  const seen = new Set<string>();
  for (const [index, { key }] of secrets.entries()) {
    if (!isGroupPart(key)) throw fieldError(`secrets[${index}].key`, RULE);
    if (seen.has(key)) throw fieldError(`secrets[${index}].key`, 'is given twice');
    seen.add(key);
  }
}

/** ControlError `bad_request`, `conflict`. */
export function checkManifest(manifest: GroupManifest): void {
  checkGroupName(manifest.name, 'manifest.name');
  for (const [index, { subject }] of (manifest.collaborators ?? []).entries()) {
    if (/^(user|team|serviceaccount):[^\s]{1,256}$/.test(subject)) continue;
    throw fieldError(
      `manifest.collaborators[${index}].subject`,
      'must be user:NAME, team:NAME or serviceaccount:NAME',
    );
  }
}

/** The group of everything that is in no group. */
export function builtIn(): ControlError {
  return new ControlError('conflict', {
    message: `The group ${DEFAULT_GROUP} holds the secrets that are in no group; it cannot be written.`,
  });
}
