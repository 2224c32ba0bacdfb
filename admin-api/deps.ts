/** What the control plane is given by the composition root: domain services and a few windows. */
import type { ActivityJournal } from '../src/activity/activity-journal.ts';
import type { AuditLog } from '../src/audit/audit-log.ts';
import type { AuditStore } from '../src/audit/audit-store.ts';
import type { ChainVerifier } from '../src/audit/chain-verifier.ts';
import type { LiveFeed } from '../src/audit/live-feed.ts';
import type { CaRotation } from '../src/ca/rotation.ts';
import type { GroupReader } from '../src/groups/group-reader.ts';
import type { GroupService } from '../src/groups/group-service.ts';
import type { Clock } from '../src/kernel/clock.ts';
import type { Limits } from '../src/kernel/limits.ts';
import type { Logger } from '../src/kernel/logger.ts';
import type { ApiKeyService } from '../src/organizations/api-key-service.ts';
import type { OrganizationService } from '../src/organizations/organization-service.ts';
import type { OrganizationStore } from '../src/organizations/organization-store.ts';
import type { Explanation } from '../src/policy/explain.ts';
import type { RequestHead } from '../src/policy/request-head.ts';
import type { ProviderCatalogue } from '../src/providers/catalogue.ts';
import type { BindingService } from '../src/sandboxes/binding-service.ts';
import type { CaMaterial } from '../src/sandboxes/sandbox-env.ts';
import type { AllMode } from '../src/sandboxes/all-mode.ts';
import type { SandboxService } from '../src/sandboxes/sandbox-service.ts';
import type { SecretService } from '../src/secrets/secret-service.ts';
import type { SecretTester } from '../src/secrets/secret-tester.ts';
import type { SecretVersions } from '../src/secrets/secret-versions.ts';
import type { WebhookService } from '../src/webhooks/webhook-service.ts';
import type { MasterKeys } from './contract/vault.ts';

/** A request to explain, of a sandbox that was found in the caller's organization. */
export interface ExplainQuery {
  readonly sandboxId: string;
  readonly head: RequestHead;
  /** Resolve the name and judge its addresses. */
  readonly resolve: boolean;
}

export interface AdminDeps {
  readonly secrets: SecretService;
  readonly versions: SecretVersions;
  readonly secretTester: SecretTester;
  readonly sandboxes: SandboxService;
  readonly allMode: AllMode;
  readonly bindings: BindingService;
  readonly apiKeys: ApiKeyService;
  readonly organizations: Pick<OrganizationStore, 'readOrganization' | 'listWorkspaces'>;
  readonly tenants: OrganizationService;
  readonly groups: GroupService;
  readonly groupReader: GroupReader;
  /** Which other systems' APIs are served beside the native one. */
  readonly compat: { readonly instabase: boolean; readonly truefoundry: boolean };
  readonly catalogue: ProviderCatalogue;
  readonly activity: Pick<ActivityJournal, 'list' | 'recordDone'>;
  readonly auditLog: AuditLog;
  readonly liveFeed: LiveFeed;
  readonly chainVerifier: ChainVerifier;
  readonly audit: Pick<AuditStore, 'listNetwork'>;
  readonly explain: (query: ExplainQuery) => Promise<Explanation>;
  readonly ca: () => CaMaterial;
  readonly caRotation: Pick<CaRotation, 'describe' | 'take'>;
  readonly masterKeys: MasterKeys;
  readonly webhooks: WebhookService;
  readonly metrics: { text(): Promise<string>; readonly contentType: string };
  /** Rejects while the instance cannot serve: `/readyz`. */
  readonly ready: () => Promise<void>;
  /** `http://HOST:PORT` as sandboxes reach the proxy. */
  readonly proxyUrl: () => string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly limits: Pick<Limits, 'adminBodyBytesMax'>;
}
