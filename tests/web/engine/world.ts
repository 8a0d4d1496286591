/**
 * Devices that run the engine's own rules on real stores, and a server made of lists, which a test has lie.
 *
 * No network: what a device queues is sealed by `sealing`, filed by `Talk`, and taken in by `run.attempt`; what the
 * rules want to know of the server is answered from what the test's people publish.
 */

import type { RosterMember } from "../../../messenger/web/client/src/e2e/bodies.ts";
import { type Batch, beginBatch } from "../../../messenger/web/client/src/engine/batch.ts";
import { makeFirst } from "../../../messenger/web/client/src/engine/membership.ts";
import { handOver, readersDevices } from "../../../messenger/web/client/src/engine/rosters.ts";
import type { Message } from "../../../messenger/web/client/src/wire/conversations.ts";
import { Desk, User } from "./desk.ts";
import { Talk } from "./talk.ts";

export { Desk, User } from "./desk.ts";

const MOST_TURNS = 20;

/** Users with their desks, and the conversations at the server. */
export class World {
  readonly users = new Map<string, User>();
  readonly talks = new Map<string, Talk>();
  readonly desks: Desk[] = [];
  now = Math.floor(Date.now() / 1_000);

  batch(asked: Iterable<string> = []): Batch {
    return beginBatch(this.now * 1_000, new Set(asked));
  }

  /** A device at work: of a new user, or one more of this one's. */
  async desk(name: string, user?: User): Promise<Desk> {
    const owner = user ?? new User(name);
    this.users.set(owner.userId, owner);
    const made = await Desk.make(this, owner);
    this.desks.push(made);
    for (const one of owner.desks) await one.learn(owner.userId);
    return made;
  }

  async direct(one: Desk, other: Desk): Promise<Talk> {
    const talk = this.#talk("direct", [one.user, other.user]);
    await one.know(talk, other.user);
    await other.know(talk, one.user);
    return talk;
  }

  /** A group that the owner makes; its roster is handed over and taken. */
  async group(owner: Desk, ...others: readonly Desk[]): Promise<Talk> {
    const users = [...new Set([owner.user, ...others.map((one) => one.user)])];
    const talk = this.#talk("group", users);
    for (const user of users) await owner.learn(user.userId);
    const members = users.slice(1).map((one) => one.userId);
    await owner.run((store) => makeFirst(store, talk.conversationId, members));
    await owner.know(talk);
    for (const desk of others) await desk.know(talk);
    await owner.run(async (store) => {
      const devices = await readersDevices(store, talk.conversationId);
      await handOver(store, this.batch(), talk.conversationId, devices);
    });
    await owner.pump(talk);
    await this.settle(talk, owner, ...others);
    return talk;
  }

  #talk(kind: "direct" | "group", users: User[]): Talk {
    const talk = new Talk(kind, users);
    this.talks.set(talk.conversationId, talk);
    return talk;
  }

  /** Have these take in what was filed and send what they have to say to it, until all is quiet. */
  async settle(talk: Talk, ...desks: readonly Desk[]): Promise<void> {
    for (let turn = 0; turn < MOST_TURNS; turn += 1) {
      const before = talk.filed.length;
      for (const desk of desks) {
        await desk.sync(talk);
        await desk.waits(talk);
      }
      if (talk.filed.length === before) return;
    }
    throw new Error("it never gets quiet");
  }

  entry(user: User, role: RosterMember["role"] = "member"): RosterMember {
    return { user_id: user.userId, account_key: user.account.public, role };
  }

  async close(): Promise<void> {
    for (const desk of this.desks) await desk.vault.close();
  }
}

/** A ciphertext of the right form at a place, that nobody can open. */
export function spoiled(talk: Talk, seq: number, desk: Desk): Partial<Message> {
  const { content, envelope } = talk.at(seq, desk);
  const raw = (content ?? envelope ?? new Uint8Array()).slice();
  const at = raw.length - 80;
  raw[at] = (raw[at] ?? 0) ^ 1;
  return envelope === null ? { content: raw } : { envelope: raw };
}
