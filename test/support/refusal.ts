/** What a refusal says, for tests that only need its code. */
import type { RawResponse } from './client.ts';

/** `403 credential_not_permitted`; the status alone when the body is no refusal of ours. */
export function outcomeOf(response: RawResponse): string {
  const code = /"code":"([a-z_]+)"/.exec(response.text())?.[1];
  return code === undefined ? String(response.status) : `${response.status} ${code}`;
}
