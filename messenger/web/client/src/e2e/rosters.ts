/**
 * The rosters that a device has had of one conversation, from the first that it took to the one that stands.
 *
 * Each stands from a place of the conversation on, so that what is written there is judged by the roster of its
 * place. Changes of one's own are kept until they have their place, and done again where others came before.
 */

import type { RosterChange, RosterMember } from "./bodies.ts";
import { RosterRefused } from "./errors.ts";
import type { RosterMark } from "./payload.ts";
import { same } from "./primitives.ts";
import { Roster, sameMember } from "./roster.ts";
import { type Intent, type Kept, STATE, type State } from "./rosters_state.ts";
import { dump, load } from "./state.ts";

const KEPT = 32; // rosters of a conversation that are remembered
const MAX_TRIES = 8; // of a change that others came before
const MAX_INTENTS = 100;
const MAX_ASKED = 3; // times that a roster is asked for before it is told that it does not come
const MAX_GIVEN = 4_000; // devices that are remembered to have been handed the roster
const MAX_TOLD = 50;

export type { Intent } from "./rosters_state.ts";

/** A change that counts. `replaced`: another one stood at a higher place with the same version, and counts no more. */
export interface Changed {
  readonly before: Roster;
  readonly after: Roster;
  readonly replaced: boolean;
}

export type Standing = "same" | "older" | "newer" | "differs";

/** The rosters that a device has had of one conversation, each with the place from which it stood. */
export class Rosters {
  readonly #state: State;

  private constructor(state: State) {
    this.#state = state;
  }

  /** None yet. */
  static none(conversationId: string): Rosters {
    return new Rosters({
      conversationId: conversationId.toLowerCase(),
      kept: [],
      given: [],
      intents: [],
      askedAt: 0,
      asked: 0,
      told: [],
    });
  }

  /** What `toBytes` wrote; BadState for anything else. */
  static fromBytes(raw: Uint8Array): Rosters {
    return new Rosters(load(STATE, raw));
  }

  /** All that is remembered. */
  toBytes(): Uint8Array {
    return dump(STATE, this.#state);
  }

  /** The roster that stands. */
  get current(): Roster | undefined {
    return this.#rosterOf(this.#state.kept.at(-1));
  }

  /** What each payload says of the roster that stands; `undefined` for none, and for version 0. */
  get mark(): RosterMark | undefined {
    const last = this.#state.kept.at(-1);
    return last === undefined || last.version === 0
      ? undefined
      : { version: last.version, digest: last.digest };
  }

  /** The place from which anything is known here; 0 where nothing is. */
  get firstSeq(): number {
    return this.#state.kept[0]?.seq ?? 0;
  }

  /** The roster that stood at a place; the oldest that is remembered for what lies before. */
  at(seq: number): Roster | undefined {
    const { kept } = this.#state;
    return this.#rosterOf(kept.findLast((one) => one.seq <= seq) ?? kept[0]);
  }

  /** Whether a user was in one of the rosters that are remembered. */
  had(userId: string): boolean {
    return this.#state.kept.some((kept) => kept.members.some((one) => one.user_id === userId));
  }

  /** Go on with a roster from a place on, whatever stood before. */
  begin(roster: Roster, seq: number): void {
    this.#keep(roster, seq);
  }

  /**
   * Take a roster that a member handed over; the one before it, or `undefined` where there was none.
   *
   * RosterRefused, unless it is the first and its sender leads it, or it has a higher version and its sender
   * leads the roster that stands; with `own` (another device of one's own) both are granted. An admin may not
   * replace owner and admins by it: such a one is passed over, and so is one that is not newer; what is returned
   * is then the roster itself. `away`: this user is not in the roster that stands, and comes back to a group that
   * others may lead by now.
   */
  takeWhole(roster: Roster, seq: number, sender: string, own: boolean, away: boolean): Roster | undefined {
    const standing = this.current;
    if (standing === undefined || (away && roster.version > standing.version)) {
      if (!own && !roster.leads(sender)) {
        throw new RosterRefused("A roster comes from somebody who is neither owner nor admin in it.");
      }
    } else if (roster.version <= standing.version) {
      this.#checkOld(roster, sender, own || away);
      return roster;
    } else if (!own) {
      const role = standing.roleOf(sender);
      if (role !== "owner" && (role !== "admin" || standing.version === 0)) {
        throw new RosterRefused("A roster comes from somebody who may not change the one that stands.");
      }
      if (role === "admin" && !sameLeaders(standing, roster, sender)) return roster;
    }
    this.#keep(roster, seq);
    return standing;
  }

  /** RosterRefused for an older roster that is none of those that stood, or from who never led. */
  #checkOld(roster: Roster, sender: string, own: boolean): void {
    const { kept } = this.#state;
    const sameVersion = kept.filter((one) => one.version === roster.version && one.version > 0);
    if (sameVersion.some((one) => !same(one.digest, roster.digest))) {
      throw new RosterRefused("A member hands over another roster of a version that stood here.");
    }
    if (!own && !kept.some((one) => this.#rosterOf(one)?.leads(sender))) {
      throw new RosterRefused("A roster comes from somebody who leads the group by that roster alone.");
    }
  }

  /**
   * Take a change at its place; `undefined` where it is known, or came after another one of its version.
   *
   * RosterRefused for one that does not count.
   */
  takeChange(change: RosterChange, author: string, seq: number): Changed | undefined {
    const { kept } = this.#state;
    const [first, last, earlier] = [kept[0], kept.at(-1), kept.at(-2)];
    const standing = this.#rosterOf(last);
    if (first === undefined || last === undefined || standing === undefined || standing.version === 0) {
      throw new RosterRefused("A roster is changed that this device has not got.");
    }
    if (change.version <= first.version) return undefined; // from before this device was in the group, or decided then
    const before = this.#rosterOf(earlier);
    if (change.version === standing.version && before !== undefined && same(change.previous, before.digest)) {
      const after = before.changed(change, author);
      if (seq >= last.seq) return undefined;
      if (same(after.digest, last.digest)) {
        last.seq = seq; // what comes in between comes later than this
        return undefined;
      }
      kept.pop();
      this.#keep(after, seq);
      return { before, after, replaced: true };
    }
    const decided = kept.some(
      (one) => one.version === change.version - 1 && same(one.digest, change.previous),
    );
    if (change.version < standing.version && decided) return undefined;
    const after = standing.changed(change, author);
    this.#keep(after, seq);
    return { before: standing, after, replaced: false };
  }

  /** How another member's roster stands to the one here, by its mark. */
  judge(mark: RosterMark): Standing {
    const standing = this.current;
    if (standing === undefined || mark.version > standing.version) return "newer";
    const kept = this.#state.kept.find((one) => one.version === mark.version && one.version > 0);
    if (kept === undefined) return "older";
    if (!same(kept.digest, mark.digest)) return "differs";
    return kept.version === standing.version ? "same" : "older";
  }

  #rosterOf(kept: Kept | undefined): Roster | undefined {
    return kept === undefined
      ? undefined
      : new Roster(this.#state.conversationId, kept.version, kept.members);
  }

  #keep(roster: Roster, seq: number): void {
    const state = this.#state;
    state.asked = 0;
    const digest = roster.version === 0 ? new Uint8Array() : roster.digest; // nobody vouches for version 0
    const kept = { seq, version: roster.version, members: [...roster.members], digest };
    state.kept = [...state.kept, kept].slice(-KEPT);
    state.given = state.given.filter(([, user]) => roster.member(user) !== undefined);
  }

  // handing it on

  /** Those of these devices that were not handed the roster. */
  lacking(deviceIds: Iterable<string>): string[] {
    const given = new Map(this.#state.given);
    return [...deviceIds].filter((one) => !given.has(one));
  }

  /** These devices, (device, user), have it. */
  give(devices: Iterable<readonly [device: string, user: string]>): void {
    const given = new Map(this.#state.given);
    for (const [device, user] of devices) given.set(device, user);
    this.#state.given = [...given].slice(-MAX_GIVEN);
  }

  /** Whether to ask for the roster now; at most once in `every` seconds. */
  mayAsk(now: number, every: number): boolean {
    // What was asked in the future was asked by a clock that was wrong: it holds nothing back.
    if (Math.abs(now - this.#state.askedAt) < every) return false;
    this.#state.askedAt = now;
    this.#state.asked += 1;
    return true;
  }

  /** Whether it was asked for as often as it is, and did not come. */
  get unanswered(): boolean {
    return this.#state.asked > MAX_ASKED;
  }

  /** Whether this is told for the first time, of the last 50 things. */
  firstTime(what: string): boolean {
    if (this.#state.told.includes(what)) return false;
    this.#state.told = [...this.#state.told, what].slice(-MAX_TOLD);
    return true;
  }

  // changes of one's own

  /** A change is under way in the message `clientId`. RosterRefused where there are too many. */
  intend(clientId: string, intent: Intent): void {
    const intents = new Map(this.#state.intents);
    if (intents.size >= MAX_INTENTS) throw new RosterRefused("Too many changes of the roster are under way.");
    this.#state.intents = [...intents.set(clientId, intent)];
  }

  /** What a message was to do; it is under way no more. */
  intended(clientId: string): Intent | undefined {
    const found = this.#state.intents.find(([one]) => one === clientId);
    this.#state.intents = this.#state.intents.filter((one) => one !== found);
    return found?.[1];
  }

  /** An own change has made this version: as long as nothing comes before it. */
  done(version: number, intent: Intent | undefined): void {
    delete this.#state.done;
    if (intent !== undefined) this.#state.done = [version, intent];
  }

  /** What the own change was to do that had made this version, which another one has made now. */
  undone(version: number): Intent | undefined {
    const { done } = this.#state;
    delete this.#state.done;
    return done?.[0] === version ? done[1] : undefined;
  }

  /** The messages of one's own changes that have no place yet. */
  get underWay(): string[] {
    return this.#state.intents.map(([clientId]) => clientId);
  }

  /**
   * The same change on the roster that stands now; `undefined` where there is nothing left to do.
   *
   * RosterRefused after eight tries.
   */
  again(intent: Intent): RosterChange | undefined {
    const standing = this.current;
    if (standing === undefined) return undefined;
    const remove = intent.remove.filter((one) => standing.member(one) !== undefined);
    const put = intent.put.filter((one) => !sameMember(standing.member(one.user_id), one));
    if (put.length === 0 && remove.length === 0) return undefined;
    if (intent.tries >= MAX_TRIES) throw new RosterRefused("Others keep changing the roster.");
    return standing.change(put, remove);
  }
}

/** Whether owner and admins are as they were, but for the sender, who may have become a member. */
function sameLeaders(standing: Roster, roster: Roster, sender: string): boolean {
  const all: readonly RosterMember[] = [...standing.members, ...roster.members];
  const leaders = all.filter((one) => one.role !== "member" && one.user_id !== sender);
  const alike = leaders.every(({ user_id: one }) => sameMember(standing.member(one), roster.member(one)));
  return alike && roster.roleOf(sender) !== "owner";
}
