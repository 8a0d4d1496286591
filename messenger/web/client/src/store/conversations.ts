/** Conversations, their members, and the users that were met. */

import { type Of, TRUTH, binary, defaulted, members, orNull, text, whole } from "../wire/codec.ts";
import type { Blind } from "./sealing.ts";
import { type Shape, type Table, coded, under } from "./table.ts";

const NUMBER = whole(0, Number.MAX_SAFE_INTEGER);
const RAW = binary(0, Number.POSITIVE_INFINITY);

export const CONVERSATION = members({
  conversation_id: text(),
  type: text(),
  title: text(),
  peer_id: orNull(text()),
  metadata: orNull(RAW),
  metadata_key: orNull(RAW),
  message_ttl: orNull(NUMBER),
  role: text(),
  created_at: text(),
  updated_at: text(),
  ended: TRUTH,
  place: orNull(NUMBER),
  change_place: orNull(NUMBER),
  read_seq: NUMBER,
  next_number: NUMBER,
  activity: NUMBER,
  expires_in: orNull(NUMBER),
  doubt_from: orNull(NUMBER),
  doubt_until: orNull(NUMBER),
  left: defaulted(TRUTH, false),
});

/**
 * A conversation as it is stored. `place` and `change_place` are how far this device has come; what lies from
 * `doubt_from` on is in doubt until `doubt_until`, in seconds since 1970. `activity` is in milliseconds since 1970. `left`: it has
 * ended because this user is no member any more.
 */
export type Conversation = Readonly<Of<typeof CONVERSATION>>;

const BLANK: Conversation = {
  conversation_id: "",
  type: "",
  title: "",
  peer_id: null,
  metadata: null,
  metadata_key: null,
  message_ttl: null,
  role: "member",
  created_at: "",
  updated_at: "",
  ended: false,
  place: null,
  change_place: null,
  read_seq: 0,
  next_number: 1,
  activity: 0,
  expires_in: null,
  doubt_from: null,
  doubt_until: null,
  left: false,
};

/** What the server says about a conversation. */
export type SaidConversation = Pick<
  Conversation,
  | "conversation_id"
  | "type"
  | "metadata"
  | "message_ttl"
  | "role"
  | "created_at"
  | "updated_at"
  | "ended"
  | "read_seq"
>;

export const MEMBER = members({
  conversation_id: text(),
  user_id: text(),
  role: text(),
  joined_at: text(),
  delivered_seq: NUMBER,
  read_seq: NUMBER,
  gone: TRUTH,
});

/** A member as it is stored; `gone` ones are kept, because their messages are. */
export type Member = Readonly<Of<typeof MEMBER>>;

/** What the server says about a member. */
export type SaidMember = Omit<Member, "conversation_id" | "gone">;

export const PERSON = members({ user_id: text(), username: text() });

/** A user that was met. */
export type Person = Readonly<Of<typeof PERSON>>;

export const CONVERSATIONS: Shape<Conversation> = {
  name: "conversations",
  kept: true,
  key: (one, blind) => blind("conversation", one.conversation_id),
  ...coded(CONVERSATION),
};

export const MEMBERS: Shape<Member> = {
  name: "members",
  kept: true,
  key: (one, blind) => [blind("conversation", one.conversation_id), blind("user", one.user_id)],
  at: (one, blind) => ({ user: blind("user", one.user_id) }),
  ...coded(MEMBER),
};

export const PEOPLE: Shape<Person> = {
  name: "people",
  kept: true,
  key: (one, blind) => blind("user", one.user_id),
  at: (one, blind) => ({ named: blind("username", one.username) }),
  ...coded(PERSON),
};

export class Conversations {
  readonly #table: Table<Conversation>;
  readonly #members: Table<Member>;
  readonly #blind: Blind;

  constructor(table: Table<Conversation>, memberTable: Table<Member>, blind: Blind) {
    this.#table = table;
    this.#members = memberTable;
    this.#blind = blind;
  }

  /** A conversation. */
  get(conversationId: string): Promise<Conversation | undefined> {
    return this.#table.get(this.#name(conversationId));
  }

  /** All, those with the latest activity first. */
  async all(): Promise<Conversation[]> {
    const found = await this.#table.list();
    return found.sort(
      (one, other) => other.activity - one.activity || (one.conversation_id < other.conversation_id ? -1 : 1),
    );
  }

  /** All but that of one's own devices, those with the latest activity first. */
  async shown(): Promise<Conversation[]> {
    return (await this.all()).filter((one) => one.type !== "self");
  }

  /** Write down what the server says about a conversation; whether it was new. */
  async take(said: SaidConversation): Promise<boolean> {
    const { conversation_id, type, metadata, message_ttl, role, created_at, updated_at, ended } = said;
    const known = await this.get(conversation_id);
    if (known === undefined) {
      const first = { conversation_id, type, created_at, read_seq: said.read_seq };
      this.#table.put({ ...BLANK, ...first, metadata, message_ttl, role, updated_at, ended });
      return true;
    }
    const read_seq = Math.max(known.read_seq, said.read_seq);
    this.#table.put({ ...known, metadata, message_ttl, role, updated_at, ended, read_seq });
    return false;
  }

  /** Set members of a conversation, if there is such a one. */
  async set(conversationId: string, values: Partial<Omit<Conversation, "conversation_id">>): Promise<void> {
    const known = await this.get(conversationId);
    if (known !== undefined) this.#table.put({ ...known, ...values });
  }

  /** Something was said, at this time (milliseconds since 1970). */
  async touch(conversationId: string, activity: number): Promise<void> {
    const known = await this.get(conversationId);
    if (known !== undefined && known.activity < activity) this.#table.put({ ...known, activity });
  }

  // members

  /** The members; with `gone` also those who have left. */
  async members(conversationId: string, gone = false): Promise<Member[]> {
    const found = await this.#members.list({ range: under(this.#name(conversationId)) });
    const order = ({ joined_at, user_id }: Member): string => `${joined_at}\0${user_id}`;
    return found
      .filter((one) => gone || !one.gone)
      .sort((one, other) => (order(one) < order(other) ? -1 : 1));
  }

  /** The owner and admins, as the server says. */
  async leaders(conversationId: string): Promise<string[]> {
    const found = await this.members(conversationId);
    return found.filter(({ role }) => role === "owner" || role === "admin").map((one) => one.user_id);
  }

  /** Write down who the server says is in a conversation. */
  async takeMembers(conversationId: string, said: readonly SaidMember[]): Promise<void> {
    const named = new Set(said.map((one) => one.user_id));
    for (const one of await this.members(conversationId)) {
      if (!named.has(one.user_id)) this.#members.put({ ...one, gone: true });
    }
    for (const { user_id, role, joined_at, delivered_seq, read_seq } of said) {
      await this.putMember(conversationId, user_id, role, joined_at);
      await this.receipt(conversationId, user_id, "delivered", delivered_seq);
      await this.receipt(conversationId, user_id, "read", read_seq);
    }
  }

  /** Somebody is in a conversation, in this role. */
  async putMember(conversationId: string, userId: string, role: string, joinedAt: string): Promise<void> {
    const known = await this.#member(conversationId, userId);
    const fresh = { joined_at: joinedAt, delivered_seq: 0, read_seq: 0 };
    const who = { conversation_id: conversationId, user_id: userId, role, gone: false };
    this.#members.put({ ...fresh, ...known, ...who });
  }

  /** Somebody is in a conversation no more. */
  async dropMember(conversationId: string, userId: string): Promise<void> {
    const known = await this.#member(conversationId, userId);
    if (known !== undefined) this.#members.put({ ...known, gone: true });
  }

  /** How far a member has come; whether that was news. */
  async receipt(
    conversationId: string,
    userId: string,
    kind: "delivered" | "read",
    seq: number,
  ): Promise<boolean> {
    const known = await this.#member(conversationId, userId);
    const name = kind === "read" ? "read_seq" : "delivered_seq";
    if (known === undefined || known[name] >= seq) return false;
    this.#members.put({ ...known, [name]: seq });
    return true;
  }

  /** The conversations that somebody is in. */
  async withMember(userId: string): Promise<string[]> {
    const user = this.#blind("user", userId);
    const found = await this.#members.list({ index: "user", range: { lower: user, upper: user } });
    return found.filter((one) => !one.gone).map((one) => one.conversation_id);
  }

  #member(conversationId: string, userId: string): Promise<Member | undefined> {
    return this.#members.get([this.#name(conversationId), this.#blind("user", userId)]);
  }

  #name(conversationId: string): string {
    return this.#blind("conversation", conversationId);
  }
}

/** The users that were met. Who they are by their keys is in the states. */
export class People {
  readonly #table: Table<Person>;
  readonly #blind: Blind;

  constructor(table: Table<Person>, blind: Blind) {
    this.#table = table;
    this.#blind = blind;
  }

  /** A user's name; the id where it is not known, empty where the account is gone. */
  async name(userId: string | null): Promise<string> {
    return userId === null ? "" : ((await this.named(userId)) ?? userId);
  }

  /** The name of a user that was met. */
  async named(userId: string): Promise<string | undefined> {
    return (await this.#table.get(this.#blind("user", userId)))?.username;
  }

  /** The user of this name, of those that were met. */
  async userNamed(username: string): Promise<string | undefined> {
    const name = this.#blind("username", username);
    return (await this.#table.first("named", { lower: name, upper: name }))?.user_id;
  }

  /** All, by name. */
  async all(): Promise<Person[]> {
    return (await this.#table.list()).sort((one, other) => (one.username < other.username ? -1 : 1));
  }

  put(userId: string, username: string): void {
    this.#table.put({ user_id: userId, username });
  }

  /** Those whose name is not known. */
  async nameless(userIds: readonly string[]): Promise<string[]> {
    const names = await Promise.all(userIds.map((one) => this.named(one)));
    return [...new Set(userIds.filter((_, at) => names[at] === undefined))];
  }
}
