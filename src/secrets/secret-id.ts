/** The id behind what an admin calls a secret where either an id or a name is taken. Ids win: nobody chooses them. */
import type { SecretStore } from './secret-store.ts';

/** `undefined`: the organization has no secret of that id or name. */
export async function readSecretId(
  store: Pick<SecretStore, 'readSecret' | 'readSecretById'>,
  organizationId: string,
  idOrName: string,
): Promise<string | undefined> {
  const row =
    (await store.readSecretById(organizationId, idOrName)) ??
    (await store.readSecret(organizationId, idOrName));
  return row?.secret.id;
}
