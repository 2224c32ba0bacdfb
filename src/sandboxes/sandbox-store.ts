/**
 * Storage contract of sandboxes, bindings and sandbox tokens. Look-ups by (organization, key), each
 * method one transaction.
 */
import type { Binding, Sandbox, SandboxStatus, SandboxToken } from './sandbox.ts';

export interface BindingRow {
  readonly binding: Binding;
  /** Name of the secret, also when it was deleted since. */
  readonly secretName: string;
  /** The secret was deleted. */
  readonly revoked: boolean;
}

export interface SandboxRow {
  readonly sandbox: Sandbox;
  /** Attached bindings only, in order of creation. */
  readonly bindings: readonly BindingRow[];
}

export interface SandboxFilter {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly status?: SandboxStatus;
  /** Only those in one of these; absent: in any. */
  readonly workspaceIds?: readonly string[];
  readonly limit?: number;
  readonly offset?: number;
}

/** Something a clock must do: pause (timeout), delete (auto-delete). */
export interface DueSandbox {
  readonly organizationId: string;
  readonly id: string;
  readonly due: 'pause' | 'delete';
}

export interface SandboxStore {
  insertSandbox(sandbox: Sandbox, bindings: readonly Binding[], token: SandboxToken): Promise<void>;
  readSandbox(organizationId: string, id: string): Promise<SandboxRow | undefined>;
  /** Newest first, ties by insertion. */
  listSandboxes(organizationId: string, filter: SandboxFilter): Promise<readonly SandboxRow[]>;
  /** Workspaces with a sandbox that has `secrets_mode: all`. */
  listAllModeWorkspaces(organizationId: string): Promise<readonly string[]>;
  /** Replaces the row if `sandbox.revision - 1` is stored; false when somebody else was faster. */
  updateSandbox(sandbox: Sandbox): Promise<boolean>;
  /** Removes it, its bindings and tokens; audit rows stay. False when not there. */
  deleteSandbox(organizationId: string, id: string): Promise<boolean>;
  /** ControlError `conflict`: env key bound; `bad_request`: more than the maximum. */
  insertBinding(binding: Binding): Promise<void>;
  /** Marks the attached binding detached; false when there is none. */
  detachBinding(
    organizationId: string,
    sandboxId: string,
    envKey: string,
    atMs: number,
  ): Promise<boolean>;
  /** Adds `token`; the others end at once (`validUntilMs = nowMs`) or at `oldValidUntilMs`. */
  replaceToken(token: SandboxToken, oldValidUntilMs: number): Promise<void>;
  listDueSandboxes(nowMs: number, limit: number): Promise<readonly DueSandbox[]>;
}
