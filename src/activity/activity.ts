/**
 * One thing an admin did: who, what, to what, and the fields before and after. Pure data, never a value or
 * a token. Times are milliseconds since the epoch.
 */
export const ACTIVITY_ACTIONS = [
  'secret.create',
  'secret.update',
  'secret.rotate',
  'secret.rollback',
  'secret.test',
  'secret.reveal',
  'secret.delete',
  'group.create',
  'group.update',
  'group.delete',
  'sandbox.create',
  'sandbox.update',
  'sandbox.pause',
  'sandbox.resume',
  'sandbox.delete',
  'sandbox.token',
  'sandbox.disconnect',
  'sandbox.attach',
  'sandbox.detach',
  'api_key.create',
  'api_key.delete',
  'organization.create',
  'organization.delete',
  'workspace.create',
  'workspace.delete',
  'vault.rewrap',
  'webhook.create',
  'webhook.update',
  'webhook.delete',
  'ca.rotate',
  'ca.switch',
  'ca.finish',
  'ca.cancel',
] as const;

export type ActivityAction = (typeof ACTIVITY_ACTIONS)[number];

/** Fields under the names of the API. */
export type ShownFields = Readonly<Record<string, unknown>>;

/** What was done, as the service that did it says. */
export interface Deed {
  readonly action: ActivityAction;
  readonly targetId: string;
  readonly targetName: string;
  /** `null`: it did not exist. Of a change: the fields that changed, as they were. */
  readonly before: ShownFields | null;
  /** `null`: it is gone. */
  readonly after: ShownFields | null;
  /** Fields that were widened without the value, as `secrets.allow_widening` permits. */
  readonly widened?: readonly string[];
}

export interface ActivityEvent extends Required<Deed> {
  readonly tsMs: number;
  readonly organizationId: string;
  readonly apiKeyId: string;
  readonly subject: string;
}
