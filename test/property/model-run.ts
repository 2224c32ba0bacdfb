/**
 * Does an operation to the whole product and to the model, through the face it names, and compares: the status
 * at once, what every face shows, and what the proxy puts on a request.
 */
import { expect } from 'vitest';
import type { AdminAnswer } from '../support/admin.ts';
import { valuesOf } from '../support/origin.ts';
import type { TestSandbox } from '../support/product.ts';
import type { Scene } from '../support/scene.ts';
import {
  ModelWorld,
  type Allowed,
  type GroupEntry,
  type ModelBinding,
  type ModelSecret,
} from './model-world.ts';

// Answers of every shape; each is looked at by the names it must have.
// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

export const SINGLE = ['a', 'b'] as const;
export const GROUPS = ['g'] as const;
export const KEYS = ['x', 'y'] as const;
export const NAMES = [...SINGLE, 'g:x', 'g:y'] as const;
const WORKSPACE = 'second';

const IB = '/api/v2/aihub/secrets';
const TF_GROUPS = '/api/svc/v1/secret-groups';
const TF_SECRETS = '/api/svc/v1/secrets';

export function hostOf(name: string): string {
  return `${name.replace(':', '')}.example.test`;
}

export type Step =
  | {
      readonly kind: 'create' | 'createAlias' | 'rotate' | 'patchAlias' | 'place';
      readonly name: string;
    }
  | {
      readonly kind: 'delete' | 'deleteAlias' | 'deleteMember' | 'placeWithoutValue';
      readonly name: string;
    }
  | { readonly kind: 'disable' | 'enable'; readonly name: string }
  | { readonly kind: 'rollback'; readonly name: string; readonly version: number }
  | { readonly kind: 'allow' | 'allowAlias'; readonly name: string; readonly allowed: Allowed }
  | {
      readonly kind: 'writeGroup';
      readonly group: string;
      readonly entries: readonly {
        readonly key: string;
        readonly value: 'keep' | 'new' | 'same';
      }[];
    }
  | { readonly kind: 'deleteGroup'; readonly group: string }
  | {
      readonly kind: 'bind';
      readonly name: string;
      readonly sandbox: number;
      readonly envKey: string;
      readonly pin: number | null;
    }
  | { readonly kind: 'detach'; readonly sandbox: number; readonly envKey: string };

export class ModelRun {
  readonly world = new ModelWorld();
  readonly #scene: Scene;
  readonly #sandboxes: readonly TestSandbox[];
  #count = 0;

  private constructor(scene: Scene, sandboxes: readonly TestSandbox[]) {
    this.#scene = scene;
    this.#sandboxes = sandboxes;
  }

  /** On an organization without secrets and groups. */
  static async start(scene: Scene): Promise<ModelRun> {
    const { product } = scene;
    const { admin } = product;
    const groups = await admin.must('GET', TF_GROUPS);
    for (const { id } of groups.data) {
      if (id !== 'default') await admin.must('DELETE', `${TF_GROUPS}/${id}`);
    }
    for (const { name } of await admin.must('GET', '/secrets?include=unplaced')) {
      await admin.must('DELETE', `/secrets/${name}`);
    }
    const sandboxes = [
      await product.createSandbox({ more: { intercept: 'all' } }),
      await product.createSandbox({ more: { intercept: 'all', workspace: WORKSPACE } }),
    ];
    return new ModelRun(scene, sandboxes);
  }

  async apply(step: Step): Promise<void> {
    switch (step.kind) {
      case 'writeGroup':
        return this.#writeGroup(step.group, step.entries);
      case 'deleteGroup':
        return this.#deleteGroup(step.group);
      case 'bind':
        return this.#bind(step.sandbox, step.envKey, step.name, step.pin);
      case 'detach':
        return this.#detach(step.sandbox, step.envKey);
      case 'create':
      case 'createAlias':
        return this.#create(step.name, step.kind === 'create');
      case 'rollback':
        return this.#rollBack(step.name, step.version);
      case 'delete':
      case 'deleteAlias':
      case 'deleteMember':
        return this.#delete(step.kind, step.name);
      case 'allow':
      case 'allowAlias':
        return this.#allow(step.kind, step.name, step.allowed);
      case 'rotate':
      case 'patchAlias':
      case 'place':
      case 'placeWithoutValue':
      case 'disable':
      case 'enable':
        return this.#change(step.kind, step.name);
    }
  }

  async #create(name: string, isNative: boolean): Promise<void> {
    const value = this.#mint();
    const isNew = !this.world.secrets.has(name);
    if (isNative) {
      const { auth, hosts } = placementOf(name);
      same(await this.#send('POST', '/secrets', { name, value, auth, hosts }), isNew ? 201 : 409);
    } else {
      const body = { alias: name, value, allowed_workspaces_type: 'ALL' };
      same(await this.#send('POST', IB, body), isNew ? 200 : 409);
    }
    if (isNew) this.world.create(name, value, isNative);
  }

  async #change(
    kind: 'rotate' | 'patchAlias' | 'place' | 'placeWithoutValue' | 'disable' | 'enable',
    name: string,
  ): Promise<void> {
    const secret = this.world.secrets.get(name);
    const value = this.#mint();
    const path = `/secrets/${name}`;
    const found = secret === undefined ? 404 : 200;
    switch (kind) {
      case 'rotate':
        same(await this.#send('PATCH', path, { value }), found);
        if (secret !== undefined) this.world.rotate(secret, value);
        return;
      case 'patchAlias':
        same(await this.#send('PATCH', IB, { alias: name, value }), found);
        if (secret !== undefined) this.world.rotate(secret, value);
        return;
      case 'place':
        same(await this.#send('PATCH', path, { value, ...placementOf(name) }), found);
        if (secret !== undefined) this.world.place(secret, value);
        return;
      case 'placeWithoutValue': {
        const refused = secret?.isPlaced === false ? 400 : found;
        same(await this.#send('PATCH', path, placementOf(name)), refused);
        return;
      }
      case 'disable':
      case 'enable':
        same(await this.#send('PATCH', path, { disabled: kind === 'disable' }), found);
        if (secret !== undefined) secret.isDisabled = kind === 'disable';
    }
  }

  async #rollBack(name: string, version: number): Promise<void> {
    const secret = this.world.secrets.get(name);
    const status = secret === undefined ? 404 : this.world.rollbackStatus(secret, version);
    same(await this.#send('POST', `/secrets/${name}/rollback`, { version }), status);
    if (secret !== undefined && status === 200) secret.active = version;
  }

  async #delete(kind: 'delete' | 'deleteAlias' | 'deleteMember', name: string): Promise<void> {
    const secret = this.world.secrets.get(name);
    if (kind === 'deleteMember') {
      // Ungrouped secrets are in a group that this face cannot change.
      const id = await this.#memberId(name);
      const status = secret === undefined ? 404 : name.includes(':') ? 200 : 409;
      same(await this.#send('DELETE', `${TF_SECRETS}/${id}`), status);
      if (status !== 200) return;
    } else if (kind === 'delete') {
      same(await this.#send('DELETE', `/secrets/${name}`), secret === undefined ? 404 : 204);
    } else {
      same(await this.#send('DELETE', IB, { alias: name }), secret === undefined ? 404 : 200);
    }
    if (secret !== undefined) this.world.remove(secret);
  }

  async #allow(kind: 'allow' | 'allowAlias', name: string, allowed: Allowed): Promise<void> {
    const secret = this.world.secrets.get(name);
    const change = {
      allowed_workspaces_type: allowed,
      ...(allowed === 'SOME' ? { allowed_workspaces: [WORKSPACE] } : {}),
    };
    const answer =
      kind === 'allow'
        ? await this.#send('PATCH', `/secrets/${name}`, change)
        : await this.#send('PATCH', IB, { alias: name, ...change });
    same(answer, secret === undefined ? 404 : 200);
    if (secret !== undefined) secret.allowed = allowed;
  }

  async #writeGroup(
    group: string,
    said: readonly { readonly key: string; readonly value: 'keep' | 'new' | 'same' }[],
  ): Promise<void> {
    const manifest = { type: 'secret-group', name: group };
    const put = await this.#send('PUT', TF_GROUPS, { manifest });
    same(put, 200);
    this.world.groups.add(group);
    const entries: GroupEntry[] = said.map(({ key, value }) => {
      const secret = this.world.secrets.get(`${group}:${key}`);
      if (value === 'keep') return { key, value: undefined };
      const old = secret?.values[secret.active - 1];
      return { key, value: value === 'same' && old !== undefined ? old : this.#mint() };
    });
    const isWritten = this.world.writeGroup(group, entries);
    const path = `${TF_GROUPS}/${put.json.data.id}`;
    same(await this.#send('PUT', path, { secrets: entries }), isWritten ? 200 : 422);
  }

  async #deleteGroup(group: string): Promise<void> {
    const { json } = await this.#send('GET', `${TF_GROUPS}?fqn=default:${group}`);
    equal(json.data.length, this.world.groups.has(group) ? 1 : 0);
    const [found] = json.data;
    if (found === undefined) return;
    same(await this.#send('DELETE', `${TF_GROUPS}/${found.id}`), 200);
    this.world.removeGroup(group);
  }

  async #bind(sandbox: number, envKey: string, name: string, pin: number | null): Promise<void> {
    const status = this.world.bindStatus(sandbox, envKey, name, pin);
    // A version is named behind the whole name only.
    const whole = name.includes(':') ? `default:${name}` : `default:default:${name}`;
    const reference = pin === null ? name : `${whole}:${pin}`;
    const path = `/sandboxes/${this.#sandboxes[sandbox]?.id}/secrets`;
    const answer = await this.#send('POST', path, { env_key: envKey, secret_name: reference });
    same(answer, status);
    const secret = this.world.secrets.get(name);
    if (status !== 201 || secret === undefined) return;
    const { placeholder } = answer.json;
    this.world.bindings.push({ sandbox, envKey, placeholder, secret, pin, isDetached: false });
  }

  async #detach(sandbox: number, envKey: string): Promise<void> {
    const binding = this.world.attached(sandbox, envKey);
    const path = `/sandboxes/${this.#sandboxes[sandbox]?.id}/secrets/${envKey}`;
    same(await this.#send('DELETE', path), binding === undefined ? 404 : 204);
    if (binding !== undefined) binding.isDetached = true;
  }

  /** Every face, and both sandboxes, as the model has them. */
  async checkFaces(): Promise<void> {
    const secrets = sorted([...this.world.secrets.values()], ({ name }) => name);
    await this.#checkNative(secrets);
    const { secrets: aliases } = await this.#read(IB);
    equal(
      sorted<Json>(aliases, ({ alias }) => alias).map((one) => [
        one.alias,
        one.allowed_workspaces_type,
      ]),
      secrets.map(({ name, allowed }) => [name, allowed]),
    );
    await this.#checkGroups(secrets);
    for (const index of this.#sandboxes.keys()) await this.#checkSandbox(index);
  }

  async #checkNative(secrets: readonly ModelSecret[]): Promise<void> {
    const shown = sorted<Json>(await this.#read('/secrets?include=unplaced'), ({ name }) => name);
    equal(
      shown.map((one) => [one.name, one.version, one.disabled, one.usable, one.hosts]),
      secrets.map((one) => [
        one.name,
        one.active,
        one.isDisabled,
        one.isPlaced && !one.isDisabled,
        one.isPlaced ? [hostOf(one.name)] : [],
      ]),
    );
    const all = await Promise.all(
      secrets.map(({ name }) => this.#read(`/secrets/${name}/versions`)),
    );
    for (const [at, { values, active }] of secrets.entries()) {
      const versions: readonly Json[] = all[at];
      equal(
        versions.map(({ version }) => version),
        values.map((_, index) => values.length - index),
      );
      equal(
        versions.filter((row) => row.active).map(({ version }) => version),
        [active],
      );
    }
  }

  async #checkGroups(secrets: readonly ModelSecret[]): Promise<void> {
    const members: readonly Json[] = await this.#members();
    equal(
      sorted(members, nameOfMember).map((one) => [
        nameOfMember(one),
        one.secretVersions.length,
        one.activeDeploymentsCount,
      ]),
      secrets.map((secret) => {
        const bound = this.world.bindings.filter((one) => one.secret === secret && !one.isDetached);
        return [secret.name, secret.values.length, new Set(bound.map((one) => one.sandbox)).size];
      }),
    );
    const { data } = await this.#read(TF_GROUPS);
    const single = secrets.filter((one) => !one.name.includes(':')).map((one) => one.name);
    const groups = sorted(
      [...this.world.groups, ...(single.length > 0 ? ['default'] : [])],
      (name) => name,
    );
    equal(
      sorted<Json>(data, ({ name }) => name).map((one) => [
        one.name,
        one.associatedSecrets.map((member: Json) => member.name).toSorted(),
      ]),
      groups.map((name) => [
        name,
        name === 'default'
          ? single
          : this.world
              .membersOf(name)
              .map((one) => one.name.slice(name.length + 1))
              .toSorted(),
      ]),
    );
  }

  async #checkSandbox(index: number): Promise<void> {
    const shown = await this.#read(`/sandboxes/${this.#sandboxes[index]?.id}`);
    const bound = this.world.bindings.filter((one) => one.sandbox === index && !one.isDetached);
    equal(
      sorted<Json>(shown.secrets, (one) => one.env_key).map((one) => [
        one.env_key,
        one.secret_name,
        one.revoked,
        one.placeholder,
        one.version ?? null,
      ]),
      sorted(bound, (one) => one.envKey).map((one) => [
        one.envKey,
        one.secret.name,
        one.secret.isDeleted,
        one.placeholder,
        one.pin,
      ]),
    );
  }

  /**
   * Every placeholder ever handed out, in a request through the proxy: the model's value arrives, or nothing.
   * What came of each: `used`, or a code.
   */
  async checkProxy(): Promise<readonly string[]> {
    const outcomes: string[] = [];
    for (const binding of this.world.bindings) {
      await this.#checkPlaceholder(binding);
      const outcome = this.world.outcomeOf(binding);
      outcomes.push('value' in outcome ? 'used' : outcome.code);
    }
    return outcomes;
  }

  async #checkPlaceholder(binding: ModelBinding): Promise<void> {
    const { product, origin, authority } = this.#scene;
    const sandbox = this.#sandboxes[binding.sandbox];
    if (sandbox === undefined) throw new Error('there is no such sandbox');
    const before = origin.requests.length;
    const at = `${hostOf(binding.secret.name)}:443`;
    using tunnel = await product.openTunnel(sandbox, at, authority.caPem);
    const fields = ['Authorization', `Bearer ${binding.placeholder}`];
    const answer = await tunnel.request({ path: '/', fields });
    const got = origin.requests
      .slice(before)
      .map((one) => valuesOf(one.rawHeaders, 'authorization'));
    const expected = this.world.outcomeOf(binding);
    if ('value' in expected) {
      equal([answer.status, got], [200, [[`Bearer ${expected.value}`]]]);
    } else {
      const { error } = answer.json() as { readonly error: { readonly code: string } };
      equal([error.code, got], [expected.code, []]);
    }
  }

  async #memberId(name: string): Promise<string> {
    const found = (await this.#members()).find((one) => nameOfMember(one) === name);
    return found?.id ?? '00000000-0000-4000-8000-000000000000';
  }

  async #members(): Promise<readonly Json[]> {
    return (await this.#send('POST', TF_SECRETS, { limit: 1_000 })).json.data;
  }

  #read(path: string): Promise<Json> {
    return this.#scene.product.admin.must('GET', path);
  }

  #mint(): string {
    this.#count += 1;
    return `not-a-real-value-${this.#count.toString().padStart(6, '0')}`;
  }

  #send(method: string, path: string, body?: unknown): Promise<AdminAnswer> {
    return this.#scene.product.admin.call(method, path, body);
  }
}

function placementOf(name: string): { readonly auth: object; readonly hosts: readonly string[] } {
  return { auth: { type: 'bearer' }, hosts: [hostOf(name)] };
}

/** `tenant:group:key`, ungrouped ones in the group `default`. */
function nameOfMember({ fqn }: Json): string {
  return String(fqn).replace(/^default:(default:)?/, '');
}

function sorted<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item[] {
  return items.toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
}

function same(answer: AdminAnswer, status: number): void {
  equal([answer.status, answer.text], [status, answer.text]);
}

function equal(actual: unknown, expected: unknown): void {
  expect(actual).toEqual(expected);
}
