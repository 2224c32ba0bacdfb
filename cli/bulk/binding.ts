/** A binding as documents and answers spell it, reduced to what makes two of them the same. Pure. */
import type { BulkSandbox, SandboxAnswer } from '../../admin-api/contract/bulk-document.ts';
import { DEFAULT_GROUP, groupedName } from '../../src/secrets/secret-reference.ts';

export interface Binding {
  readonly envKey: string;
  /** As it was written; what a request carries. */
  readonly reference: string;
  /** As the secret is stored. */
  readonly secretName: string;
  /** `null`: follows the active version. */
  readonly version: number | null;
  readonly inject: 'auto' | 'placeholder';
}

export function bindingsOf({ secrets = {} }: BulkSandbox): Binding[] {
  const list = Array.isArray(secrets)
    ? secrets
    : Object.entries(secrets).map(([envKey, name]) => ({
        env_key: envKey,
        secret_name: name,
        inject: undefined,
      }));
  return list.map(({ env_key: envKey, secret_name: reference, inject = 'auto' }) => ({
    envKey,
    reference,
    ...readReference(reference),
    inject,
  }));
}

/** What is bound and works; a binding whose secret is gone is none. */
export function bindingsOfAnswer({ secrets }: SandboxAnswer): Binding[] {
  return secrets
    .filter(({ revoked }) => !revoked)
    .map(({ env_key: envKey, secret_name: secretName, version = null, inject }) => ({
      envKey,
      reference: formatReference(secretName, version),
      secretName,
      version,
      inject,
    }));
}

function formatReference(name: string, version: number | null): string {
  if (version === null) return name;
  return `${name.includes(':') ? name : `${DEFAULT_GROUP}:${name}`}:${version}`;
}

/** `NAME`, `GROUP:KEY`, `GROUP:KEY:VERSION`; a tenant in front is the caller's own. */
function readReference(text: string): { secretName: string; version: number | null } {
  const parts = text
    .trim()
    .replace(/^tfy-secret:\/\//, '')
    .split(':');
  const last = parts.at(-1) ?? '';
  const isVersioned = parts.length > 2 && /^[1-9]\d{0,8}$/.test(last);
  const named = (isVersioned ? parts.slice(0, -1) : parts).slice(-2);
  const [group = '', key] = named;
  return {
    secretName: key === undefined ? group : groupedName(group, key),
    version: isVersioned ? Number(last) : null,
  };
}
