/**
 * Groups, secrets and versions as TrueFoundry shows them. An organization is the tenant; a fully qualified
 * name is `tenant:group:key:version`, cut where it has less to say.
 */
import { z } from '@hono/zod-openapi';
import type { GroupView } from '../../src/groups/group-reader.ts';
import type { Member } from '../../src/groups/group-store.ts';
import type { Hidden } from '../../src/kernel/hidden.ts';
import type { ApiKey, Organization } from '../../src/organizations/organization.ts';
import { DEFAULT_GROUP, splitName } from '../../src/secrets/secret-reference.ts';
import { formatTime, timeOutput } from '../contract/fields.ts';
import { describeManifest } from './truefoundry-group.ts';

/** What a view needs besides the rows. */
export interface ViewContext {
  readonly organization: Organization;
  /** By subject. */
  readonly keys: ReadonlyMap<string, Pick<ApiKey, 'id' | 'name'>>;
}

const subjectSchema = z
  .object({
    subjectId: z.string(),
    subjectType: z.enum(['user', 'serviceaccount']),
    subjectSlug: z.string(),
    subjectDisplayName: z.string(),
  })
  .openapi('TrueFoundrySubject');

const versionSchema = z
  .object({
    id: z.string(),
    fqn: z.string(),
    version: z.int(),
    secretId: z.string(),
    createdAt: timeOutput,
    updatedAt: timeOutput,
  })
  .openapi('TrueFoundrySecretVersion');

const secretSchema = z
  .object({
    id: z.string(),
    fqn: z.string(),
    name: z.string(),
    secretGroupId: z.string(),
    value: z.string().optional().openapi({ description: 'Only with secrets.allow_reveal.' }),
    createdBySubject: subjectSchema,
    createdAt: timeOutput,
    updatedAt: timeOutput,
    secretVersions: z.array(versionSchema),
    activeDeploymentsCount: z.int(),
    createdBy: z.string(),
  })
  .openapi('TrueFoundrySecret');

const groupSchema = z
  .object({
    id: z.string(),
    fqn: z.string(),
    name: z.string(),
    tenantName: z.string(),
    accountId: z.string(),
    createdBySubject: subjectSchema,
    associatedSecrets: z.array(secretSchema),
    integrationId: z.string().nullable(),
    manifest: z.record(z.string(), z.unknown()).nullable(),
    createdAt: timeOutput,
    updatedAt: timeOutput,
    createdBy: z.string(),
  })
  .openapi('TrueFoundrySecretGroup');

const pagination = z
  .object({ total: z.int(), offset: z.int(), limit: z.int() })
  .openapi('TrueFoundryPagination');

export const groupAnswerSchema = z
  .object({ data: groupSchema })
  .openapi('TrueFoundrySecretGroupAnswer');
export const groupListSchema = z
  .object({ data: z.array(groupSchema), pagination })
  .openapi('TrueFoundrySecretGroupList');
export const secretAnswerSchema = z
  .object({ data: secretSchema })
  .openapi('TrueFoundrySecretAnswer');
export const secretListSchema = z
  .object({ data: z.array(secretSchema), pagination })
  .openapi('TrueFoundrySecretList');

/** Of what nobody made: the built-in group. */
const NOBODY = 'serviceaccount:sallyport';

export function describeGroup(
  { group, members }: GroupView,
  context: ViewContext,
): z.infer<typeof groupSchema> {
  const { organization } = context;
  const name = group?.name ?? DEFAULT_GROUP;
  const creator = describeSubject(group?.createdBy ?? NOBODY, context);
  return {
    id: group?.id ?? DEFAULT_GROUP,
    fqn: `${organization.name}:${name}`,
    name,
    tenantName: organization.name,
    accountId: organization.id,
    createdBySubject: creator,
    associatedSecrets: members.map((member) => describeMember(member, context)),
    integrationId: group?.integrationId ?? null,
    manifest: group?.manifest ? describeManifest(group.manifest) : null,
    createdAt: formatTime(group?.createdAtMs ?? organization.createdAtMs),
    updatedAt: formatTime(group?.updatedAtMs ?? organization.createdAtMs),
    createdBy: creator.subjectSlug,
  };
}

/** `value`: only where it may be shown. */
export function describeMember(
  member: Member,
  context: ViewContext,
  value?: Hidden,
): z.infer<typeof secretSchema> {
  const { secret, groupId, versions, boundSandboxes } = member;
  const { group, key } = splitName(secret.name);
  const fqn = `${context.organization.name}:${group}:${key}`;
  const creator = describeSubject(secret.createdBy, context);
  return {
    id: secret.id,
    fqn,
    name: key,
    secretGroupId: groupId ?? DEFAULT_GROUP,
    ...(value === undefined ? {} : { value: value.reveal() }),
    createdBySubject: creator,
    createdAt: formatTime(secret.createdAtMs),
    updatedAt: formatTime(secret.updatedAtMs),
    secretVersions: versions.map((version) => ({
      id: version.id,
      fqn: `${fqn}:${version.version}`,
      version: version.version,
      secretId: secret.id,
      createdAt: formatTime(version.createdAtMs),
      updatedAt: formatTime(version.createdAtMs),
    })),
    activeDeploymentsCount: boundSandboxes,
    createdBy: creator.subjectSlug,
  };
}

/** The API key behind a subject, also when it is gone since. */
function describeSubject(subject: string, { keys }: ViewContext): z.infer<typeof subjectSchema> {
  const key = keys.get(subject);
  const name = subject.slice(subject.indexOf(':') + 1);
  return {
    subjectId: key?.id ?? subject,
    subjectType: subject.startsWith('user:') ? 'user' : 'serviceaccount',
    subjectSlug: key?.name ?? name,
    subjectDisplayName: name,
  };
}
