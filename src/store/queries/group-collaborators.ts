/** Which groups of secrets their manifests share with somebody, as a part of other queries. */
import type { Transaction } from '../database.ts';

/** Ids of the groups that grant this subject anything. */
export function groupsSharedWith({ query }: Transaction, organizationId: string, subject: string) {
  return query
    .selectFrom('secret_group_collaborators')
    .select('group_id')
    .where('organization_id', '=', organizationId)
    .where('subject', '=', subject);
}
