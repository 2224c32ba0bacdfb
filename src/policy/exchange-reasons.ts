/**
 * The sentences of `decide-exchange.ts`: shown in refusals and by `explain`. They name variables, secrets
 * and hosts that are bound to this sandbox, never a value, a placeholder or what the client sent.
 */
import { formatAuthority } from '../wire/host.ts';
import type { RequestHead } from './request-head.ts';
import type { CompiledBinding, Revocation, Tombstone } from './snapshot.ts';

export function twoPlaceholders(one: CompiledBinding, other: CompiledBinding): string {
  return `One field holds the placeholders of both ${nameOf(one)} and ${nameOf(other)}; send them apart.`;
}

export function plaintext(binding: CompiledBinding, head: RequestHead): string {
  return binding.allowPlaintext
    ? `The secret of ${nameOf(binding)} may travel over plain http on ${ports(binding)} only, not on port ${head.port}.`
    : `The placeholder of ${nameOf(binding)} was sent over plain http.`;
}

export function hostMismatch(binding: CompiledBinding, head: RequestHead): string {
  const { host, port } = head;
  const asked = formatAuthority({ host, port }, 0);
  if (binding.hosts.length === 0) {
    return `The secret of ${nameOf(binding)} has no auth and hosts yet, so it is not for ${asked}.`;
  }
  const hosts = binding.hosts.map((pattern) => pattern.text).join(', ');
  return `The placeholder of ${nameOf(binding)} is for ${hosts} on ${ports(binding)}, not for ${asked} and this path.`;
}

export function unclearPath(binding: CompiledBinding): string {
  return `The path means different things as sent and decoded, so no rule of the secret of ${nameOf(binding)} can be chosen.`;
}

export function notInPath(binding: CompiledBinding): string {
  return `The secret of ${nameOf(binding)} is placed in the path; send its placeholder there.`;
}

export function dead(binding: CompiledBinding, tombstone: Tombstone): string {
  const subject = `The secret of ${nameOf(binding)}`;
  if (tombstone === 'credential_disabled') return `${subject} is disabled.`;
  if (tombstone === 'credential_expired') return `${subject} has expired.`;
  if (tombstone === 'credential_unavailable') return `${subject} cannot be opened now.`;
  return `${subject} ${REVOCATIONS[binding.revocation ?? 'deleted']}.`;
}

const REVOCATIONS: Readonly<Record<Revocation, string>> = {
  detached: 'was detached from this sandbox',
  deleted: 'was deleted',
  version: 'goes further than the version was given for that this binding stays with',
  workspace: 'may not be used in the workspace of this sandbox any more',
};

export function tie(one: CompiledBinding, other: CompiledBinding): string {
  return `The secrets ${fullNameOf(one)} and ${fullNameOf(other)} claim the same place in this request.`;
}

export function notPermitted(binding: CompiledBinding, head: RequestHead): string {
  const limits = [
    binding.methods === null ? '' : `methods ${binding.methods.join(', ')}`,
    binding.paths === null ? '' : `paths ${binding.paths.map(({ text }) => text).join(', ')}`,
  ];
  const allowed = limits.filter((limit) => limit !== '').join(' and ');
  return `The secret of ${nameOf(binding)} permits ${allowed} only, not this ${head.method} request; a path must hold as sent and decoded.`;
}

function ports(binding: CompiledBinding): string {
  return `port ${binding.ports.join(', ')}`;
}

/** The variable, as the sandbox knows it; without one the name of the secret. */
function nameOf(binding: CompiledBinding): string {
  return binding.envKey === '' ? binding.secretName : binding.envKey;
}

function fullNameOf({ secretName, envKey }: CompiledBinding): string {
  return envKey === '' ? secretName : `${secretName} (${envKey})`;
}
