/**
 * Groups and their secrets as the façade shows them: what a key may see, a page at a time. Values only
 * where the configuration allows reveal and the role permits; each one shown is written to the log.
 */
import type { Hidden } from '../kernel/hidden.ts';
import { ControlError } from '../kernel/errors.ts';
import type { Actor } from '../organizations/actor.ts';
import type { OrganizationStore } from '../organizations/organization-store.ts';
import { checkRole } from '../organizations/roles.ts';
import { DEFAULT_GROUP, SecretReferences } from '../secrets/secret-reference.ts';
import type { SecretRevealer } from '../secrets/secret-revealer.ts';
import { decideGroupRole, isOrganizationAdmin } from './group-access.ts';
import type { GroupFilter, GroupStore, Member, MemberFilter, Page } from './group-store.ts';
import type { SecretGroup } from './secret-group.ts';

export interface GroupReaderDeps {
  readonly store: GroupStore;
  readonly organizations: Pick<OrganizationStore, 'readOrganization'>;
  readonly revealer: SecretRevealer;
}

/** `group: null` is the built-in one, of what is in no group. */
export interface GroupView {
  readonly group: SecretGroup | null;
  readonly members: readonly Member[];
}

/** Of the built-in group only so many are shown inside it; all of them are in the list of secrets. */
const DEFAULT_MEMBERS_MAX = 1_000;

export class GroupReader {
  readonly #deps: GroupReaderDeps;

  readonly #references: SecretReferences;

  constructor(deps: GroupReaderDeps) {
    this.#deps = deps;
    this.#references = new SecretReferences(deps.organizations);
  }

  async view(actor: Actor, group: SecretGroup): Promise<GroupView> {
    const { rows } = await this.listMembers(actor, { groupIds: [group.id] });
    return { group, members: rows };
  }

  async viewDefault(actor: Actor, limit = DEFAULT_MEMBERS_MAX): Promise<GroupView> {
    checkRole(actor, 'read');
    const filter = { isUngrouped: true, limit };
    return { group: null, members: (await this.listMembers(actor, filter)).rows };
  }

  /** Newest first; the built-in one last, while there is something in it. */
  async list(actor: Actor, filter: GroupFilter): Promise<Page<GroupView>> {
    checkRole(actor, 'read');
    const visible = isOrganizationAdmin(actor) ? filter : { ...filter, subject: actor.subject };
    const page = await this.#deps.store.listGroups(actor.organizationId, visible);
    const groupIds = page.rows.map((group) => group.id);
    const members = groupIds.length === 0 ? [] : (await this.listMembers(actor, { groupIds })).rows;
    const rows: GroupView[] = page.rows.map((group) => ({
      group,
      members: members.filter((member) => member.groupId === group.id),
    }));
    if (!isAsked(filter)) return { rows, total: page.total };
    const hasRoom = rows.length < filter.limit && filter.offset <= page.total;
    const builtIn = await this.viewDefault(actor, hasRoom ? DEFAULT_MEMBERS_MAX : 1);
    if (builtIn.members.length === 0) return { rows, total: page.total };
    return { rows: hasRoom ? [...rows, builtIn] : rows, total: page.total + 1 };
  }

  /** What the key may see of them. */
  async listMembers(actor: Actor, filter: MemberFilter): Promise<Page<Member>> {
    checkRole(actor, 'read');
    const reach = intersect(filter.ids, actor.secretIds ?? undefined);
    const lists = [reach, filter.names, filter.groupIds];
    if (lists.some((list) => list?.length === 0)) return { rows: [], total: 0 };
    return this.#deps.store.listMembers(actor.organizationId, {
      ...filter,
      ...(reach === undefined ? {} : { ids: reach }),
      ...(isOrganizationAdmin(actor) ? {} : { subject: actor.subject }),
    });
  }

  /** The stored names of fully qualified ones; those of other tenants are left out. */
  async resolveNames(actor: Actor, fqns: readonly string[]): Promise<readonly string[]> {
    const names: string[] = [];
    for (const [index, fqn] of fqns.entries()) {
      const path = `secretFqns[${index}]`;
      const reference = await this.#references.resolve(actor.organizationId, fqn, path);
      if (reference !== undefined) names.push(reference.name);
    }
    return names;
  }

  /** ControlError `not_found`. */
  async readMember(actor: Actor, id: string): Promise<Member> {
    const [member] = (await this.listMembers(actor, { ids: [id] })).rows;
    if (member !== undefined) return member;
    throw new ControlError('not_found', { message: 'There is no such secret.' });
  }

  /** The active value, where it may be shown; else `undefined`. */
  async readValue(actor: Actor, member: Member): Promise<Hidden | undefined> {
    const { revealer } = this.#deps;
    if (!revealer.isAllowed || !(await this.#mayRevealIn(actor, member.groupId))) return undefined;
    return revealer.reveal(actor, member.secret, member.secret.version);
  }

  /** Viewers see keys, never values. */
  async #mayRevealIn(actor: Actor, groupId: string | null): Promise<boolean> {
    if (isOrganizationAdmin(actor)) return true;
    if (groupId === null) return false;
    const group = await this.#deps.store.readGroup(actor.organizationId, groupId);
    const role = group === undefined ? null : decideGroupRole(actor, group);
    return role === 'secret-group-admin' || role === 'secret-group-editor';
  }
}

/** Does the filter let the built-in group through? */
function isAsked({ name, search }: GroupFilter): boolean {
  if (name !== undefined) return name === DEFAULT_GROUP;
  return search === undefined || DEFAULT_GROUP.includes(search.toLowerCase());
}

function intersect(
  one: readonly string[] | undefined,
  other: readonly string[] | undefined,
): readonly string[] | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one.filter((id) => other.includes(id));
}
