/**
 * What an organization should be after any operations through any face, in a few lines: secrets with their
 * values, groups, two sandboxes and what they hold. Says the status every operation must have, and what the
 * proxy must do with a placeholder.
 */
export type Allowed = 'ALL' | 'SOME' | 'NONE';

export interface ModelSecret {
  readonly name: string;
  /** By version, from 1. */
  readonly values: string[];
  active: number;
  oldestUsable: number;
  isPlaced: boolean;
  isDisabled: boolean;
  /** `SOME`: the second workspace. */
  allowed: Allowed;
  isDeleted: boolean;
}

export interface ModelBinding {
  readonly sandbox: number;
  readonly envKey: string;
  readonly placeholder: string;
  readonly secret: ModelSecret;
  readonly pin: number | null;
  isDetached: boolean;
}

export interface GroupEntry {
  readonly key: string;
  readonly value: string | undefined;
}

export class ModelWorld {
  readonly secrets = new Map<string, ModelSecret>();
  readonly bindings: ModelBinding[] = [];
  readonly groups = new Set<string>();

  create(name: string, value: string, isPlaced: boolean): void {
    this.secrets.set(name, {
      name,
      values: [value],
      active: 1,
      oldestUsable: 1,
      isPlaced,
      isDisabled: false,
      allowed: 'ALL',
      isDeleted: false,
    });
  }

  rotate(secret: ModelSecret, value: string): void {
    secret.values.push(value);
    secret.active = secret.values.length;
  }

  /** Gives an unplaced secret its host: what was stored before was never given for it. */
  place(secret: ModelSecret, value: string): void {
    this.rotate(secret, value);
    if (!secret.isPlaced) secret.oldestUsable = secret.active;
    secret.isPlaced = true;
  }

  remove(secret: ModelSecret): void {
    secret.isDeleted = true;
    this.secrets.delete(secret.name);
  }

  rollbackStatus(secret: ModelSecret, version: number): number {
    if (version === secret.active) return 200;
    if (version > secret.values.length) return 400;
    return version >= secret.oldestUsable ? 200 : 409;
  }

  bindStatus(sandbox: number, envKey: string, name: string, pin: number | null): number {
    const secret = this.secrets.get(name);
    if (secret === undefined) return 400;
    if (pin !== null && (pin > secret.values.length || pin < secret.oldestUsable)) return 400;
    if (!isAllowedIn(secret, sandbox)) return 403;
    return this.attached(sandbox, envKey) === undefined ? 201 : 409;
  }

  attached(sandbox: number, envKey: string): ModelBinding | undefined {
    return this.bindings.find(
      (one) => !one.isDetached && one.sandbox === sandbox && one.envKey === envKey,
    );
  }

  membersOf(group: string): readonly ModelSecret[] {
    return [...this.secrets.values()].filter(({ name }) => name.startsWith(`${group}:`));
  }

  /** The full set; `false`: refused, because a new key has no value. Nothing changes then. */
  writeGroup(group: string, entries: readonly GroupEntry[]): boolean {
    const isComplete = entries.every(
      ({ key, value }) => value !== undefined || this.secrets.has(`${group}:${key}`),
    );
    if (!isComplete) return false;
    const kept = new Set(entries.map(({ key }) => `${group}:${key}`));
    for (const member of this.membersOf(group)) if (!kept.has(member.name)) this.remove(member);
    for (const { key, value } of entries) {
      const secret = this.secrets.get(`${group}:${key}`);
      if (secret === undefined) this.create(`${group}:${key}`, value ?? '', false);
      else if (value !== undefined && value !== secret.values[secret.active - 1]) {
        this.rotate(secret, value);
      }
    }
    return true;
  }

  removeGroup(group: string): void {
    for (const member of this.membersOf(group)) this.remove(member);
    this.groups.delete(group);
  }

  /** The value the origin must get for a placeholder, or the code it must be refused with. */
  outcomeOf({
    secret,
    sandbox,
    pin,
    isDetached,
  }: ModelBinding): { value: string } | { code: string } {
    // Whatever became of it, it was never for this host.
    if (!secret.isPlaced) return { code: 'credential_host_mismatch' };
    const version = pin ?? secret.active;
    const isDead =
      isDetached ||
      secret.isDeleted ||
      version < secret.oldestUsable ||
      !isAllowedIn(secret, sandbox);
    if (isDead) return { code: 'credential_revoked' };
    if (secret.isDisabled) return { code: 'credential_disabled' };
    return { value: secret.values[version - 1] ?? '' };
  }
}

export function isAllowedIn(secret: ModelSecret, sandbox: number): boolean {
  return secret.allowed === 'ALL' || (secret.allowed === 'SOME' && sandbox === 1);
}
