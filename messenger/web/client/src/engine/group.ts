/**
 * A group, as the page changes it: its members by the roster that they keep, and its name.
 *
 * The roster goes first, by a message of the group; then the server is asked to do likewise. What it does, or does
 * not do, changes nothing for who may read.
 */

import type { Role, RosterMember } from "../e2e/bodies.ts";
import { NotInAudience, RosterRefused } from "../e2e/errors.ts";
import { sealConversationMetadata } from "../e2e/metadata.ts";
import { systemRandom } from "../e2e/primitives.ts";
import { Refused } from "../net/errors.ts";
import { unlessNotFound } from "./asking.ts";
import { beginBatch } from "./batch.ts";
import type { Engine } from "./core.ts";
import { MembershipRefused } from "./errors.ts";
import { tolerant } from "./keeping.ts";
import { entryOf, propose } from "./membership.ts";
import { queue } from "./queueing.ts";
import { currentRoster, handOver, readersDevices, rostersOf, vouched } from "./rosters.ts";
import { retitle } from "./titles.ts";
import type { Store } from "./vault.ts";

const MOST_ROUNDS = 10; // of a change that others come before

/** What a change is to do, by what is known when it is made: members to put, user_ids to remove. */
type Wanted = (
  store: Store,
) => Promise<{ readonly put?: readonly RosterMember[]; readonly remove?: readonly string[] }>;

/** A member: by the roster, and by the server. */
export interface GroupMember {
  readonly user_id: string;
  readonly username: string;
  readonly role: string;
  /** Whether the roster names it at all. */
  readonly inRoster: boolean;
  /** Whether the roster names it under the account key that is known here; who is not vouched for gets nothing. */
  readonly vouched: boolean;
  /** Whether the server names it; who is not listed gets nothing either. */
  readonly listed: boolean;
  readonly verified: boolean;
}

export class Group {
  readonly #engine: Engine;
  readonly conversationId: string;

  constructor(engine: Engine, conversationId: string) {
    this.#engine = engine;
    this.conversationId = conversationId;
  }

  /** Who is in it: those of the roster, and not `vouched` for who only the server names. */
  async members(): Promise<GroupMember[]> {
    const { vault, tokens } = this.#engine;
    if (tokens.alive) await tolerant(this.#look());
    return vault.run(async (store) => {
      const standing = await currentRoster(store, this.conversationId);
      const listed = new Map(
        (await store.conversations.members(this.conversationId)).map((one) => [one.user_id, one.role]),
      );
      const users = new Set([...listed.keys(), ...(standing?.members.map((one) => one.user_id) ?? [])]);
      const found: GroupMember[] = [];
      for (const user_id of users) {
        const entry = standing?.member(user_id);
        found.push({
          user_id,
          username: await store.people.name(user_id),
          role: entry?.role ?? listed.get(user_id) ?? "",
          inRoster: entry !== undefined,
          vouched: entry !== undefined && (await vouched(store, entry)),
          listed: listed.has(user_id),
          verified: (await store.known(user_id)).verified,
        });
      }
      return found;
    });
  }

  /** Have what the server says of the members, and their keys. */
  async #look(): Promise<void> {
    const { vault, asking } = this.#engine;
    await asking.members(this.conversationId);
    const standing = await vault.run((store) => currentRoster(store, this.conversationId));
    await asking.ensureFresh(standing?.members.map((one) => one.user_id) ?? []);
  }

  /** Add a user: to the roster, then at the server. MembershipRefused, Refused, UnknownUser. */
  async add(username: string, role: "admin" | "member" = "member"): Promise<void> {
    const { api, asking } = this.#engine;
    const userId = await this.#person(username);
    const added = await this.#change(async (store) => {
      const known = (await currentRoster(store, this.conversationId))?.member(userId);
      // In it already, and perhaps not at the server yet.
      const isIn = known !== undefined && (await vouched(store, known));
      return { put: [isIn ? known : await entryOf(store, userId, role)] };
    });
    try {
      await api.addMember(this.conversationId, userId, role);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const members = await api.members(this.conversationId);
      if (!members.some((one) => one.user_id === userId)) {
        if (added) await this.#change(() => Promise.resolve({ remove: [userId] }));
        throw error;
      }
    }
    asking.forgetView(this.conversationId);
    await tolerant(asking.members(this.conversationId));
    await this.shareTitle();
  }

  /**
   * Remove a user: the roster first, and new keys with the next message; then at the server, whose answer changes
   * nothing. MembershipRefused, Refused.
   */
  async remove(username: string): Promise<void> {
    const userId = await this.#person(username);
    await this.#change(() => Promise.resolve({ remove: [userId] }));
    await this.#removeAtServer(userId);
    await tolerant(this.#engine.asking.members(this.conversationId));
  }

  /** Leave the group; what was said stays here. MembershipRefused for the owner of others. */
  async leave(): Promise<void> {
    const { vault, facts } = this.#engine;
    const { row, standing } = await vault.run(async (store) => ({
      row: await store.conversations.get(this.conversationId),
      standing: await currentRoster(store, this.conversationId),
    }));
    if (
      row?.ended === false &&
      standing !== undefined &&
      standing.version > 0 &&
      standing.members.length > 1
    ) {
      await this.#change(() => Promise.resolve({ remove: [facts.userId] }));
    }
    await this.#removeAtServer(facts.userId);
    await vault.run((store) => store.conversations.set(this.conversationId, { ended: true, left: true }));
  }

  async #removeAtServer(userId: string): Promise<void> {
    this.#engine.asking.forgetView(this.conversationId);
    await unlessNotFound(this.#engine.api.removeMember(this.conversationId, userId));
  }

  /** Give a member another role; an owner hands its own on. MembershipRefused, Refused. */
  async setRole(username: string, role: Role): Promise<void> {
    const { api, asking, facts } = this.#engine;
    const userId = await this.#person(username);
    await this.#change(async (store) => {
      const standing = await currentRoster(store, this.conversationId);
      const put = [{ ...inRoster(standing?.member(userId), username), role }];
      const mine = standing?.member(facts.userId);
      if (role === "owner" && mine?.role === "owner" && userId !== facts.userId) {
        put.push({ ...mine, role: "admin" });
      }
      return { put };
    });
    await api.setRole(this.conversationId, userId, role);
    await tolerant(asking.members(this.conversationId));
  }

  /** Take a member's new account key into the roster: from then on the member reads again. MembershipRefused. */
  async confirm(username: string): Promise<void> {
    const userId = await this.#person(username);
    await this.#change(async (store) => {
      const standing = await currentRoster(store, this.conversationId);
      const entry = inRoster(standing?.member(userId), username);
      return { put: [await entryOf(store, userId, entry.role)] };
    });
  }

  async #person(username: string): Promise<string> {
    const userId = await this.#engine.asking.user(username);
    await this.#engine.asking.ensureFresh([userId]);
    return userId;
  }

  /** Change the roster; returns once the change stands, false where there was nothing to change. */
  async #change(wanted: Wanted): Promise<boolean> {
    const { vault, clock, sending } = this.#engine;
    let changed = false;
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const batch = beginBatch(clock.now());
      const clientId = await vault.run(async (store) => {
        try {
          const [pending] = (await rostersOf(store, this.conversationId)).underWay;
          if (pending !== undefined) return pending;
          const { put = [], remove = [] } = await wanted(store);
          return await propose(store, batch, this.conversationId, put, remove);
        } catch (error) {
          if (error instanceof RosterRefused || error instanceof NotInAudience) {
            throw new MembershipRefused(error.message);
          }
          throw error;
        }
      });
      if (clientId === undefined) return changed;
      sending.wake(this.conversationId);
      changed = true;
      await this.#engine.taken(clientId);
    }
    throw new MembershipRefused("Others keep changing the group's members.");
  }

  // the name

  /**
   * Hand the roster to who has not got it, and the key of the group's name to everybody; returns once the server has
   * both.
   */
  async shareTitle(): Promise<void> {
    const { vault, clock, sending } = this.#engine;
    const batch = beginBatch(clock.now());
    const waiting = await vault.run(async (store) => {
      const row = await store.conversations.get(this.conversationId);
      if (row === undefined) return [];
      await handOver(store, batch, this.conversationId, await readersDevices(store, this.conversationId));
      const key = row.metadata_key;
      if (key !== null) await queue(store, batch, this.conversationId, { type: "metadata_key", key }, []);
      return store.outbox.waiting(this.conversationId);
    });
    sending.wake(this.conversationId);
    for (const clientId of waiting) await this.#engine.taken(clientId);
  }

  /** Give the group another name, under a new key. Refused. */
  async rename(title: string): Promise<void> {
    const key = systemRandom(32);
    const metadata = sealConversationMetadata(key, { name: title, description: "" });
    await this.#engine.api.updateConversation(this.conversationId, { metadata });
    await this.#engine.vault.run((store) => retitle(store, this.conversationId, metadata, key));
    await this.shareTitle();
  }
}

function inRoster(entry: RosterMember | undefined, username: string): RosterMember {
  if (entry === undefined) throw new RosterRefused(`${username} is not in the group's roster.`);
  return entry;
}
