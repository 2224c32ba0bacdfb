/**
 * The store as the rest of the house sees it: the storage contracts and a lifecycle. Behind it a worker
 * thread owns the database; no SQL runs on the data plane's thread.
 */
import type { ActivityStore } from '../activity/activity-store.ts';
import type { AuditStore } from '../audit/audit-store.ts';
import type { GroupStore } from '../groups/group-store.ts';
import type { OrganizationStore } from '../organizations/organization-store.ts';
import type { PolicyStore } from '../policy/policy-store.ts';
import type { SandboxStore } from '../sandboxes/sandbox-store.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import type { UsageStore } from '../usage/usage-store.ts';
import type { EnvelopeStore } from '../vault/envelope-store.ts';
import type { WebhookStore } from '../webhooks/webhook-store.ts';
import type { InstanceStore } from './instance-store.ts';

export interface StoreContracts {
  readonly secrets: SecretStore;
  readonly groups: GroupStore;
  readonly sandboxes: SandboxStore;
  readonly organizations: OrganizationStore;
  readonly policy: PolicyStore;
  readonly audit: AuditStore;
  readonly activity: ActivityStore;
  readonly usage: UsageStore;
  readonly instance: InstanceStore;
  readonly envelopes: EnvelopeStore;
  readonly webhooks: WebhookStore;
}

export interface Store extends StoreContracts {
  /** Rejects when the database does not answer: `/readyz`. */
  ping(): Promise<void>;
  /** A consistent copy while running. Never contains the master key. */
  backup(file: string): Promise<void>;
  /** Waits for what was asked, closes the database, ends the worker. */
  close(): Promise<void>;
}
