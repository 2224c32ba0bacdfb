/**
 * The tables as the queries see them: one interface a table, one property a column. Times are
 * milliseconds since the epoch, booleans are 0 and 1, structured columns are JSON text, so that the same
 * queries run on SQLite and PostgreSQL. Every row carries its organization; only what belongs to the
 * instance does not.
 */
import type { Generated } from 'kysely';

/** 0 or 1: SQLite has no boolean. */
export type Flag = 0 | 1;

interface SchemaVersionTable {
  version: number;
  applied_at_ms: number;
}

interface InstanceItemsTable {
  name: string;
  content: Uint8Array;
}

export interface OrganizationsTable {
  id: string;
  name: string;
  created_at_ms: number;
}

export interface WorkspacesTable {
  id: string;
  organization_id: string;
  name: string;
  created_at_ms: number;
}

export interface ApiKeysTable {
  seq: Generated<number>;
  id: string;
  organization_id: string;
  name: string;
  role: string;
  subject: string;
  key_hash: string;
  key_prefix: string;
  workspace_ids: string | null;
  secret_ids: string | null;
  created_at_ms: number;
  created_by: string;
  expires_at_ms: number | null;
  last_used_at_ms: number | null;
}

export interface SecretsTable {
  /** Order of insertion. */
  seq: Generated<number>;
  id: string;
  organization_id: string;
  name: string;
  description: string | null;
  /** Name and description in lower case, for `q`. */
  search_text: string;
  auth: string | null;
  hosts: string;
  ports: string;
  provider: string | null;
  provider_params: string;
  methods: string | null;
  paths: string | null;
  priority: number;
  on_existing: string;
  also_strip: string;
  companion_headers: string;
  mask_responses: Flag;
  allow_plaintext: Flag;
  allowed_workspaces_type: string;
  allowed_workspaces: string;
  disabled: Flag;
  expires_at_ms: number | null;
  version: number;
  active_version_id: string;
  oldest_usable_version: number;
  highest_version: Generated<number>;
  rotation: Generated<number>;
  /** The three of an overlap: all set or none. */
  overlap_version: number | null;
  overlap_version_id: string | null;
  overlap_ends_at_ms: number | null;
  created_at_ms: number;
  updated_at_ms: number;
  rotated_at_ms: number;
  created_by: string;
  updated_by: string;
  revision: number;
  deleted_at_ms: number | null;
  last_used_at_ms: number | null;
  last_answered_at_ms: number | null;
  /** Written by `claimFirstUses` alone. */
  first_used_at_ms: Generated<number | null>;
  /** `null`: in no group. Written by the group's queries alone. */
  group_id: Generated<string | null>;
}

export interface SecretGroupsTable {
  seq: Generated<number>;
  id: string;
  organization_id: string;
  name: string;
  integration_id: string | null;
  manifest: string | null;
  created_at_ms: number;
  updated_at_ms: number;
  created_by: string;
  revision: number;
}

/** The subjects a manifest names, to find the groups of one. */
interface SecretGroupCollaboratorsTable {
  organization_id: string;
  group_id: string;
  subject: string;
}

/** The host patterns of a secret, to find it by one. */
interface SecretHostsTable {
  organization_id: string;
  secret_id: string;
  host: string;
}

export interface SecretVersionsTable {
  id: string;
  organization_id: string;
  secret_id: string;
  version: number;
  /** `null` once destroyed. */
  sealed: Uint8Array | null;
  created_at_ms: number;
  created_by: string;
  last_used_at_ms: number | null;
  /** The rotation of the secret that `requests` counts since. */
  rotation: Generated<number>;
  requests: Generated<number>;
  /** Since an origin last accepted it. */
  auth_failures: Generated<number>;
  last_auth_failure_at_ms: number | null;
  auth_failure_kind: string | null;
}

export interface SandboxesTable {
  seq: Generated<number>;
  id: string;
  organization_id: string;
  workspace_id: string;
  name: string;
  description: string | null;
  status: string;
  metadata: string;
  network: string;
  env_vars: string;
  secrets_mode: string;
  /** `null`: no limit. */
  requests_per_minute: number | null;
  concurrent_max: number | null;
  intercept_all: Flag;
  source_cidrs: string;
  timeout_seconds: number | null;
  armed_at_ms: number;
  /** When the timeout strikes; set while active with a timeout. */
  pause_at_ms: number | null;
  auto_delete_seconds: number | null;
  paused_at_ms: number | null;
  auto_delete_at_ms: number | null;
  expires_at_ms: number | null;
  created_at_ms: number;
  updated_at_ms: number;
  created_by: string;
  revision: number;
}

/** The metadata of a sandbox, to find it by one pair. */
interface SandboxMetadataTable {
  organization_id: string;
  sandbox_id: string;
  key: string;
  value: string;
}

export interface SandboxTokensTable {
  token_hash: string;
  organization_id: string;
  sandbox_id: string;
  created_at_ms: number;
  valid_until_ms: number | null;
}

export interface BindingsTable {
  seq: Generated<number>;
  id: string;
  organization_id: string;
  sandbox_id: string;
  secret_id: string;
  env_key: string;
  inject: string;
  placeholder: string;
  created_at_ms: number;
  detached_at_ms: number | null;
  /** `null`: follows the active version. */
  pinned_version: number | null;
}

export interface AuditEventsTable {
  id: number;
  organization_id: string;
  sandbox_id: string;
  kind: string;
  ts_ms: number;
  /** 1: used a secret or was refused; kept apart from plain traffic by retention. */
  important: Flag;
  request_id: string;
  host: string;
  port: number;
  decision: string;
  code: string | null;
  detail: string | null;
  bytes_in: number;
  bytes_out: number;
  latency_ms: number;
  /** JSON of `[secretId, version]` pairs; `null`: none. */
  secrets: string | null;
  method: string | null;
  scheme: string | null;
  path: string | null;
  status: number | null;
  upstream_status: number | null;
  http_version: string | null;
  dst_ip: string | null;
  verdict: string | null;
  match_rule: string | null;
  /** The code that would have refused it, had `egress.mode` not been `observe`. */
  would_refuse: string | null;
  upstream_http_version: string | null;
  /** `null`: stored while `audit.chain` was off. */
  chain_hash: Generated<Uint8Array | null>;
}

/** One chain an organization and class; `anchor` is the last row that was pruned, or where it began. */
export interface AuditChainsTable {
  organization_id: string;
  important: Flag;
  start_id: number;
  /** Rows from before the chain are left. */
  has_older: Flag;
  anchor_id: number;
  anchor_hash: Uint8Array;
  last_id: number;
  last_hash: Uint8Array;
}

export interface WebhooksTable {
  seq: Generated<number>;
  id: string;
  organization_id: string;
  url: string;
  description: string | null;
  events: string;
  signing_secret: Uint8Array;
  disabled: Flag;
  disabled_reason: string | null;
  failing_since_ms: number | null;
  created_at_ms: number;
  updated_at_ms: number;
  created_by: string;
  revision: number;
}

export interface WebhookDeliveriesTable {
  seq: Generated<number>;
  /** The same for every webhook that is told of one event. */
  id: string;
  organization_id: string;
  webhook_id: string;
  event: string;
  payload: string;
  state: string;
  attempts: number;
  next_attempt_at_ms: number | null;
  last_status: number | null;
  last_error: string | null;
  created_at_ms: number;
  settled_at_ms: number | null;
}

/** An exchange with two secrets is a row under each. */
interface AuditEventSecretsTable {
  organization_id: string;
  secret_id: string;
  event_id: number;
  version: number;
  /** Copied from the event, so that a filter does not visit every event. */
  status: number | null;
}

/** Rows per organization and class, kept by append and prune: counting millions takes too long. */
export interface AuditCountsTable {
  organization_id: string;
  important: Flag;
  row_count: number;
}

/**
 * The last id given. Ids come from a row and not from the database's own sequence: that one may be taken
 * and committed out of order, and paging by id would then miss rows.
 */
interface AuditSequenceTable {
  name: string;
  last_id: number;
}

/** The last batch of each writer that is stored, so that a repeated batch is stored once. */
interface AuditWritersTable {
  writer: string;
  sequence: number;
  seen_at_ms: number;
}

/** As `audit_writers`, of batches of usage. */
interface UsageWritersTable {
  writer: string;
  sequence: number;
  seen_at_ms: number;
}

/** What admins did. Fields before and after and what was widened are JSON. */
export interface ActivityTable {
  id: Generated<number>;
  organization_id: string;
  ts_ms: number;
  api_key_id: string;
  subject: string;
  action: string;
  target_id: string;
  target_name: string;
  before_fields: string | null;
  after_fields: string | null;
  widened: string | null;
}

export interface Tables {
  schema_version: SchemaVersionTable;
  instance_items: InstanceItemsTable;
  organizations: OrganizationsTable;
  workspaces: WorkspacesTable;
  api_keys: ApiKeysTable;
  secrets: SecretsTable;
  secret_hosts: SecretHostsTable;
  secret_groups: SecretGroupsTable;
  secret_group_collaborators: SecretGroupCollaboratorsTable;
  secret_versions: SecretVersionsTable;
  sandboxes: SandboxesTable;
  sandbox_metadata: SandboxMetadataTable;
  sandbox_tokens: SandboxTokensTable;
  bindings: BindingsTable;
  audit_events: AuditEventsTable;
  audit_event_secrets: AuditEventSecretsTable;
  audit_counts: AuditCountsTable;
  audit_sequence: AuditSequenceTable;
  audit_writers: AuditWritersTable;
  audit_chains: AuditChainsTable;
  webhooks: WebhooksTable;
  webhook_deliveries: WebhookDeliveriesTable;
  usage_writers: UsageWritersTable;
  activity: ActivityTable;
}
