/** What has to be asked of the server before the rules can judge: names, keys, members, conversations. */

import { KnownUser, type Policy } from "../e2e/trust.ts";
import type { Api } from "../net/api.ts";
import type { Clock } from "../net/clock.ts";
import { Refused } from "../net/errors.ts";
import type { Conversation as Said } from "../wire/conversations.ts";
import type { Identities } from "../wire/keys.ts";
import { judgesOwn } from "./approval.ts";
import { learn, nameUser } from "./directory.ts";
import { ContactConflict, UnknownUser } from "./errors.ts";
import { type Meant, takeConversation, takeMembers } from "./listing.ts";
import { type Sender, senderName } from "./run.ts";
import type { DeviceView } from "./sealing.ts";
import type { Vault } from "./vault.ts";

const REFUSED_AGAIN = 60_000; // milliseconds before the keys of a user with a refused device are asked for again
const MOST_VIEWS = 1_000;
const LOOKUP = 200; // users of one question

/** What is given, or `undefined` where there is no such thing, or this user may not see it. */
export async function unlessNotFound<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return undefined;
    throw error;
  }
}

/** Questions to the server, and their answers in the store. */
export class Asking {
  readonly #vault: Vault;
  readonly #api: Api;
  readonly #clock: Clock;
  readonly #policy: Policy;
  readonly #views = new Map<string, DeviceView>();
  /** Users whose keys were asked for on this connection. */
  readonly #fresh = new Set<string>();
  readonly #asked = new Map<string, number>();

  constructor(vault: Vault, api: Api, clock: Clock, policy: Policy) {
    this.#vault = vault;
    this.#api = api;
    this.#clock = clock;
    this.#policy = policy;
  }

  // users

  /** The id of a user by name. UnknownUser, ContactConflict where the server names another than before. */
  async user(name: string): Promise<string> {
    const username = name.trim().toLowerCase();
    const found = await this.#api.userNamed(username);
    if (found?.username !== username) throw new UnknownUser(username);
    if (!(await this.#vault.run((store) => nameUser(store, found.user_id, username)))) {
      throw new ContactConflict(`The server names another user ${username} than before: nothing is done.`);
    }
    return found.user_id;
  }

  /** Have the names of these users. */
  async names(userIds: readonly string[]): Promise<void> {
    const missing = await this.#vault.run((store) => store.people.nameless(userIds));
    for (let start = 0; start < missing.length; start += LOOKUP) {
      const asked = missing.slice(start, start + LOOKUP);
      const found = (await this.#api.lookup(asked)).filter((one) => asked.includes(one.user_id));
      await this.#vault.run(async (store) => {
        for (const one of found) await nameUser(store, one.user_id, one.username);
      });
    }
  }

  /** Ask for a user's keys, and take in what holds. */
  async learn(userId: string): Promise<void> {
    await this.names([userId]);
    const said = await unlessNotFound(this.#api.identities(userId));
    if (said === undefined) return; // the account is gone; what was known stays
    await this.taught(userId, said);
    this.#fresh.add(userId);
  }

  /** Take in a user's keys. */
  async taught(userId: string, said: Identities): Promise<void> {
    const now = this.#clock.now() / 1_000;
    await this.#vault.run((store) => learn(store, userId, said, this.#policy, now));
  }

  /**
   * Have the keys of these users as the server names them on this connection: what is sent goes by keys that were
   * looked at just before.
   */
  async ensureFresh(userIds: Iterable<string>): Promise<void> {
    for (const userId of userIds) if (!this.#fresh.has(userId)) await this.learn(userId);
  }

  /** A user's keys may have changed. */
  stale(userId: string): void {
    this.#fresh.delete(userId);
  }

  /** Before approval: have the own devices as the server names them, to read a grant by. */
  async learnOwn(): Promise<void> {
    const me = await this.#vault.run((store) => store.userId());
    const said = await this.#api.identities(me);
    const known = KnownUser.unknown(me);
    known.learn(said, "warn");
    await this.#vault.run((store) => {
      store.account.set("provisional", known.toBytes());
    });
  }

  /** Have the keys of these senders where a device is not known. */
  async learnSenders(senders: readonly Sender[]): Promise<void> {
    const now = this.#clock.now();
    const { missing, own } = await this.#vault.run(async (store) => {
      const waiting = !(await judgesOwn(store));
      const me = await store.userId();
      const unknown: Sender[] = [];
      for (const sender of senders) {
        const isOwn = sender[0] === me && waiting;
        const known = isOwn || (await store.known(sender[0])).deviceIds.includes(sender[1]);
        if (!known) unknown.push(sender);
      }
      return { missing: unknown, own: waiting && senders.some(([userId]) => userId === me) };
    });
    if (own) await this.learnOwn();
    const users = new Set<string>();
    for (const sender of missing) {
      const name = senderName(sender);
      // A clock that was set back since holds nothing back.
      if (Math.abs(now - (this.#asked.get(name) ?? -REFUSED_AGAIN)) < REFUSED_AGAIN) continue;
      this.#asked.delete(name);
      this.#asked.set(name, now);
      users.add(sender[0]);
    }
    bound(this.#asked);
    for (const userId of users) await this.learn(userId);
  }

  // conversations

  /** Have a conversation and its members as the server names them. */
  async conversation(conversationId: string): Promise<void> {
    await this.take(await this.#api.conversation(conversationId));
  }

  /** Write down what the server says about a conversation, with its members. */
  async take(said: Said, meant: Meant = {}): Promise<void> {
    const members = await this.#api.members(said.conversation_id);
    await this.names(members.map((one) => one.user_id));
    await this.#vault.run((store) => takeConversation(store, said, members, meant));
  }

  /** All conversations, as the server says. */
  async conversations(): Promise<Said[]> {
    const found: Said[] = [];
    for await (const page of this.#api.conversations()) found.push(...page);
    return found;
  }

  /** Have those of these conversations that are new or were changed. */
  async takeStale(said: readonly Said[]): Promise<void> {
    const stale = await this.#vault.run(async (store) => {
      const found: Said[] = [];
      for (const one of said) {
        const row = await store.conversations.get(one.conversation_id);
        if (row?.updated_at !== one.updated_at || row.ended) found.push(one);
      }
      return found;
    });
    for (const one of stale) await this.take(one);
  }

  /** Have a conversation's members anew. */
  async members(conversationId: string): Promise<void> {
    const members = await this.#api.members(conversationId);
    await this.names(members.map((one) => one.user_id));
    await this.#vault.run((store) => takeMembers(store, conversationId, members));
  }

  // devices

  /** The devices that a message goes to; as remembered, until something is said to have changed. */
  async view(conversationId: string): Promise<DeviceView> {
    const known = this.#views.get(conversationId);
    if (known !== undefined) return known;
    const { items } = await this.#api.conversationDevices(conversationId);
    const found = new Map(items.map((one) => [one.device_id, one.user_id]));
    this.#views.set(conversationId, found);
    bound(this.#views);
    return found;
  }

  /** Its devices may have changed. */
  forgetView(conversationId: string): void {
    this.#views.delete(conversationId);
  }

  /** All may have changed. */
  forgetViews(): void {
    this.#views.clear();
    this.#fresh.clear();
  }
}

/** Keep the newest ones. */
function bound(kept: Map<string, unknown>): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= MOST_VIEWS) return;
    kept.delete(oldest);
  }
}
