/**
 * How a secret is named where it is used: `NAME`, `GROUP:KEY`, `TENANT:GROUP:KEY`, each but the first
 * with `:VERSION` after it, and `tfy-secret://` in front where one likes. Ungrouped secrets are in the
 * built-in group `default`. Three parts that begin with the tenant are TENANT:GROUP:KEY.
 */
import { fieldError } from '../kernel/field-error.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Organization } from '../organizations/organization.ts';
import type { OrganizationStore } from '../organizations/organization-store.ts';

export interface SecretReference {
  /** As stored. */
  readonly name: string;
  /** `null`: the active one. */
  readonly version: number | null;
}

/** The group that ungrouped secrets are shown in; nobody can make or change it. */
export const DEFAULT_GROUP = 'default';

const SCHEME = 'tfy-secret://';
/** Of paths: an alias of the Instabase façade may begin with a digit. */
const PLAIN_NAME = /^[A-Za-z0-9_][A-Za-z0-9_-]*$/;
const GROUP_PART = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const VERSION = /^[1-9]\d{0,8}$/;

/** Is this text the name of a group, or a key in one? */
export function isGroupPart(text: string): boolean {
  return GROUP_PART.test(text);
}

/** The stored name of a key in a group. */
export function groupedName(group: string, key: string): string {
  return group === DEFAULT_GROUP ? key : `${group}:${key}`;
}

/** The two parts of a stored name. */
export function splitName(name: string): { readonly group: string; readonly key: string } {
  const colon = name.indexOf(':');
  if (colon < 0) return { group: DEFAULT_GROUP, key: name };
  return { group: name.slice(0, colon), key: name.slice(colon + 1) };
}

export class SecretReferences {
  readonly #organizations: Pick<OrganizationStore, 'readOrganization'>;

  constructor(organizations: Pick<OrganizationStore, 'readOrganization'>) {
    this.#organizations = organizations;
  }

  /**
   * `undefined` for another tenant: whatever it has is not there. ControlError `bad_request` naming `path`
   * for what is no reference.
   */
  async resolve(
    organizationId: string,
    text: string,
    path = 'name',
  ): Promise<SecretReference | undefined> {
    const trimmed = text.trim();
    const bare = trimmed.startsWith(SCHEME) ? trimmed.slice(SCHEME.length) : trimmed;
    const parts = bare.split(':');
    if (parts.length === 1) {
      if (isPlainName(bare)) return { name: bare, version: null };
      throw malformed(path);
    }
    const organization =
      parts.length < 3 ? undefined : await this.#organizations.readOrganization(organizationId);
    return readParts(parts, organization, path);
  }
}

function readParts(
  parts: readonly string[],
  organization: Organization | undefined,
  path: string,
): SecretReference | undefined {
  const [first = '', ...rest] = parts;
  const isTenant = first === organization?.name || first === organization?.id;
  const isBare = parts.length === 2 || (parts.length === 3 && !isTenant);
  const [group = '', key = '', version] = isBare ? parts : rest;
  if (parts.length > 4) throw malformed(path);
  if (version !== undefined && !VERSION.test(version)) {
    // Three parts that do not end in a version are another tenant's.
    if (isBare && isGroupPart(version)) return undefined;
    throw malformed(path);
  }
  if (!isGroupPart(group) || !(group === DEFAULT_GROUP ? isPlainName(key) : isGroupPart(key))) {
    throw malformed(path);
  }
  if (!isBare && !isTenant) return undefined;
  return { name: groupedName(group, key), version: version === undefined ? null : Number(version) };
}

function isPlainName(text: string): boolean {
  return text.length <= FIXED.secretNameCharsMax && PLAIN_NAME.test(text);
}

function malformed(path: string): Error {
  return fieldError(
    path,
    'must be the name of a secret, or GROUP:KEY, with TENANT: before or :VERSION after it where needed',
  );
}
