/**
 * A group's membership as its members keep it: a roster has a version, and for each member a role and the
 * account key under which it is in.
 *
 *     digest = SHA-256("messenger-roster-1" 0x00 conversation_id version (8)
 *                      then of each member by rising user_id: user_id account_key role (1))
 *
 * A change counts if it makes the next version of the very roster that stands, and its author may do each part
 * of it. Of two changes to one version the one at the lower place counts, so that all members agree
 * (docs/encryption.md, "Rosters"). Version 0 is what a device knew of a group from before rosters: nobody
 * vouches for it, its account keys may be empty, and it is never handed on.
 */

import { uint64 } from "../wire/bytes.ts";
import { type Role, type RosterBody, type RosterChange, type RosterMember } from "./bodies.ts";
import { RosterRefused } from "./errors.ts";
import { idBytes, label, same, sha256 } from "./primitives.ts";

const LABEL = label("messenger-roster-1");
/** As many as one message has room for. */
export const MAX_MEMBERS = 400;

const RANK: Readonly<Record<Role, number>> = { member: 1, admin: 2, owner: 3 };
const ROLE_BYTE: Readonly<Record<Role, number>> = { owner: 1, admin: 2, member: 3 };

/** One version of a conversation's roster, its members by rising user_id. */
export class Roster {
  readonly conversationId: string;
  readonly version: number;
  readonly members: readonly RosterMember[];

  /** Members that are known to be in order; `of` judges those that are not. */
  constructor(conversationId: string, version: number, members: readonly RosterMember[]) {
    this.conversationId = conversationId;
    this.version = version;
    this.members = members;
  }

  /**
   * A roster of these members. RosterRefused where it names one twice, or, above version 0, has not just one
   * owner, or over 400 members; Malformed where an id is none.
   */
  static of(conversationId: string, version: number, members: readonly RosterMember[]): Roster {
    for (const one of members) idBytes(one.user_id);
    const sorted = members.toSorted((one, other) => (one.user_id < other.user_id ? -1 : 1));
    if (new Set(sorted.map((one) => one.user_id)).size !== sorted.length) {
      throw new RosterRefused("A roster names a member twice.");
    }
    if (version === 0) return new Roster(conversationId, version, sorted);
    if (sorted.length > MAX_MEMBERS) {
      throw new RosterRefused(`A roster has room for ${String(MAX_MEMBERS)} members.`);
    }
    if (sorted.length > 0 && sorted.filter((one) => one.role === "owner").length !== 1) {
      throw new RosterRefused("A roster has one owner.");
    }
    return new Roster(conversationId, version, sorted);
  }

  /** The roster that a member handed over. RosterRefused. */
  static ofBody(conversationId: string, body: RosterBody): Roster {
    return Roster.of(conversationId, body.version, body.members);
  }

  /** The whole roster, to be handed over. */
  body(): RosterBody {
    return { type: "roster", version: this.version, members: [...this.members] };
  }

  /** The member with this user_id. */
  member(userId: string): RosterMember | undefined {
    return this.members.find((one) => one.user_id === userId);
  }

  /** The role of a user; `undefined` for who is not in it. */
  roleOf(userId: string): Role | undefined {
    return this.member(userId)?.role;
  }

  /** Whether a user is owner or admin. */
  leads(userId: string): boolean {
    const role = this.roleOf(userId);
    return role === "owner" || role === "admin";
  }

  /** 32 bytes that stand for just this roster. */
  get digest(): Uint8Array {
    const entries = this.members.flatMap((one) => [
      idBytes(one.user_id),
      one.account_key,
      Uint8Array.of(ROLE_BYTE[one.role]),
    ]);
    return sha256(LABEL, idBytes(this.conversationId), uint64(this.version), ...entries);
  }

  /** The change that makes the next version. */
  change(put: readonly RosterMember[], remove: readonly string[]): RosterChange {
    return {
      type: "roster_change",
      version: this.version + 1,
      previous: this.digest,
      put: [...put],
      remove: [...remove],
    };
  }

  /** The next version by a change of this author's. RosterRefused where it does not count. */
  changed(change: RosterChange, author: string): Roster {
    const { version, previous, put, remove } = change;
    if (version !== this.version + 1 || !same(previous, this.digest)) {
      throw new RosterRefused("A change rests on another roster than the one that stands.");
    }
    const named = new Set([...put.map((one) => one.user_id), ...remove]);
    if (named.size === 0 || named.size !== put.length + remove.length) {
      throw new RosterRefused("A change of the roster says nothing, or two things of one member.");
    }
    check(this, author, put, remove);
    const left = this.members.filter((one) => !named.has(one.user_id));
    return Roster.of(this.conversationId, version, [...left, ...put]);
  }
}

/** Whether two entries say the same. */
export function sameMember(one: RosterMember | undefined, other: RosterMember | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.user_id === other.user_id && one.role === other.role && same(one.account_key, other.account_key);
}

/** RosterRefused unless the author may do each part. */
function check(
  roster: Roster,
  author: string,
  put: readonly RosterMember[],
  remove: readonly string[],
): void {
  const own = roster.roleOf(author);
  if (own === undefined) throw new RosterRefused("Somebody who is not in the roster changes it.");
  const handsOn = own === "owner" && put.some((one) => one.role === "owner" && one.user_id !== author);
  for (const userId of remove) {
    const role = roster.roleOf(userId);
    if (role === undefined) throw new RosterRefused("A change removes somebody who is not in the roster.");
    if (userId !== author && (own === "member" || RANK[role] >= RANK[own])) {
      throw new RosterRefused(`A ${own} removes the ${role}.`);
    }
  }
  for (const entry of put) {
    if (!mayPut(roster.member(entry.user_id), entry, author, own, handsOn)) {
      throw new RosterRefused(`A ${own} may not make this change of the roster.`);
    }
  }
}

function mayPut(
  before: RosterMember | undefined,
  entry: RosterMember,
  author: string,
  own: Role,
  handsOn: boolean,
): boolean {
  if (before === undefined) return own !== "member" && RANK[entry.role] < RANK[own];
  const sameKey = same(entry.account_key, before.account_key);
  if (entry.user_id === author) return handsOn && entry.role === "admin" && sameKey;
  if (entry.role === before.role) return own !== "member" && !sameKey; // confirms a new account key
  if (entry.role === "owner") return handsOn && sameKey;
  return own === "owner";
}
