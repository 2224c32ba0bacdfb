/** Organizations and workspaces on the wire. */
import { z } from '@hono/zod-openapi';
import type { Organization, Workspace } from '../../src/organizations/organization.ts';
import { formatTime, timeOutput, uuid } from './fields.ts';

export const namedSchema = z
  .strictObject({ name: z.string() })
  .openapi('Named', { example: { name: 'research' } });

export const tenantSchema = z
  .object({ id: uuid, name: z.string(), created_at: timeOutput })
  .openapi('Tenant');

export function describeTenant({
  id,
  name,
  createdAtMs,
}: Organization | Workspace): z.infer<typeof tenantSchema> {
  return { id, name, created_at: formatTime(createdAtMs) };
}
