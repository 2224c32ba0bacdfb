/** Calls of the façades as their documentations show them, on the fixture of the admin API. */
import type { AdminFixture, Answer } from '../admin-api/admin-fixture.ts';

export const VALUE = 'not-a-real-value-0001';
export const IB = '/api/v2/aihub/secrets';
export const GROUPS = '/api/svc/v1/secret-groups';
export const SECRETS = '/api/svc/v1/secrets';

/** `Authorization: Bearer`, JSON body on any method. */
export function bearer(
  admin: AdminFixture,
  method: string,
  path: string,
  body?: unknown,
  options: { readonly key?: string; readonly headers?: Record<string, string> } = {},
): Promise<Answer> {
  return admin.send(path, {
    method,
    headers: {
      authorization: `Bearer ${options.key ?? admin.key}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** A new key with its id. */
export async function mintKey(
  admin: AdminFixture,
  role: string,
  subject = `serviceaccount:${role}`,
  more: Record<string, unknown> = {},
): Promise<{ readonly id: string; readonly key: string }> {
  const answer = await admin.call('POST', '/api-keys', { name: role, role, subject, ...more });
  if (answer.status !== 201) throw new Error(answer.text);
  return { id: String(answer.json.id), key: String(answer.json.key) };
}
