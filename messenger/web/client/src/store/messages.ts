/** Messages: what was said, by others and by this device. */

import { FILE_REFERENCE, type FileReference } from "../e2e/bodies.ts";
import { type Of, TRUTH, defaulted, members, oneOf, orNull, text, whole } from "../wire/codec.ts";
import type { Key, Range } from "./database.ts";
import { type Named, nameOf } from "./places.ts";
import type { Blind } from "./sealing.ts";
import { type Shape, type Table, coded, under } from "./table.ts";

const NUMBER = whole(0, Number.MAX_SAFE_INTEGER);
const LAST = Number.MAX_SAFE_INTEGER; // where those stand that have no place
const MOST_FILES = 1_000;
const MOST_UNKNOWN = 1_000;
const NEVER = "9999"; // later than any moment

export const MESSAGE = members({
  id: NUMBER,
  conversation_id: text(),
  client_id: text(),
  sender_id: text(),
  sender_device_id: text(),
  seq: orNull(NUMBER),
  kind: text(),
  text: text(),
  file: orNull(FILE_REFERENCE),
  width: defaulted(NUMBER, 0),
  height: defaulted(NUMBER, 0),
  reply_to: orNull(text()),
  outgoing: TRUTH,
  sent_at: text(),
  received_at: text(),
  created_at: orNull(text()),
  state: oneOf("queued", "sent", "failed", "received", "deleted"),
  late: defaulted(TRUTH, false),
  gone: defaulted(TRUTH, false),
  edited: defaulted(NUMBER, 0),
  expires_at: defaulted(orNull(text()), null),
  expires_in: defaulted(orNull(NUMBER), null),
});

/**
 * A message as this device has it. `id` is this profile's own, `seq` the place in the conversation, null while it
 * is queued. `sent_at` is by the sender's clock, `received_at` by this device's, `created_at` by the server's, all
 * RFC 3339 in UTC with milliseconds. `late`: it came after messages that were sent later. `gone`: the server says
 * that it has it no more, and its author does not. `width` and `height` are of a picture in pixels, else 0. `edited` is the place of the edit, 0 where there was none.
 */
export type Message = Readonly<Of<typeof MESSAGE>>;
export type State = Message["state"];

/** A message that is new here. */
export type NewMessage = Omit<Message, "id" | "gone" | Blank> & Partial<Pick<Message, Blank>>;
type Blank = "width" | "height" | "late" | "edited" | "expires_at" | "expires_in";

export const MESSAGES: Shape<Message> = {
  name: "messages",
  kept: true,
  key: (one) => one.id,
  at: (one, blind) => {
    const conversation = blind("conversation", one.conversation_id);
    const isUnread = !one.outgoing && one.state === "received" && one.seq !== null;
    return {
      place: [conversation, one.seq ?? LAST, one.id],
      name: nameOf(blind, one),
      reply: [blind("reply", one.conversation_id, one.client_id), one.id],
      filed: one.file === null ? null : [conversation, one.id],
      unread: isUnread ? [conversation, one.seq] : null,
      // One that waits to be sent is kept until it was.
      expires: one.state === "queued" ? null : one.expires_at,
    };
  },
  ...coded(MESSAGE),
};

export class Messages {
  readonly #table: Table<Message>;
  readonly #blind: Blind;
  readonly #next: () => Promise<number>;
  /** Names that no message has. */
  readonly #unknown = new Set<string>();
  /** Nothing expires before this moment. */
  #calmUntil = "";

  constructor(table: Table<Message>, blind: Blind, next: () => Promise<number>) {
    this.#table = table;
    this.#blind = blind;
    this.#next = next;
  }

  /** A new message; its id. */
  async add(message: NewMessage): Promise<number> {
    const id = await this.#next();
    const fresh = {
      width: 0,
      height: 0,
      late: false,
      gone: false,
      edited: 0,
      expires_at: null,
      expires_in: null,
    };
    this.#unknown.delete(nameOf(this.#blind, message));
    this.#put({ ...fresh, ...message, id });
    return id;
  }

  /** A message that its author has taken away before it came; nothing where it is known. */
  async addDeleted(named: Named, senderId: string, seq: number | null, sentAt: string): Promise<void> {
    if ((await this.find(named)) !== undefined) return;
    const { conversation_id, sender_device_id, client_id } = named;
    const blank = { kind: "text", text: "", file: null, reply_to: null, outgoing: false, created_at: null };
    const when = { sent_at: sentAt, received_at: sentAt };
    const who = { conversation_id, sender_device_id, client_id, sender_id: senderId };
    await this.add({ ...blank, ...when, ...who, seq, state: "deleted" });
  }

  /** A message by its id. */
  get(id: number): Promise<Message | undefined> {
    return this.#table.get(id);
  }

  /** The same; one that is damaged is told of and counts as none. */
  sound(id: number): Promise<Message | undefined> {
    return this.#table.sound(id);
  }

  /** A message by what names it everywhere. */
  async find(named: Named): Promise<Message | undefined> {
    const name = nameOf(this.#blind, named);
    if (this.#unknown.has(name)) return undefined;
    const found = await this.#table.first("name", { lower: name, upper: name });
    if (found === undefined) {
      if (this.#unknown.size >= MOST_UNKNOWN) this.#unknown.clear();
      this.#unknown.add(name);
    }
    return found;
  }

  /** The message at a place. */
  at(conversationId: string, seq: number): Promise<Message | undefined> {
    return this.#table.first("place", under(this.#conversation(conversationId), seq));
  }

  /** The message that `reply_to` means: the latest of this client_id. */
  async replied(conversationId: string, clientId: string): Promise<Message | undefined> {
    const range = under(this.#blind("reply", conversationId, clientId));
    const [found] = await this.#table.list({ index: "reply", range, falling: true, limit: 1 });
    return found;
  }

  /** The latest messages, or those before one, oldest first; those without a place come last. */
  async history(conversationId: string, limit: number, before?: number): Promise<Message[]> {
    const conversation = this.#conversation(conversationId);
    let range: Range = under(conversation);
    if (before !== undefined) {
      const last = await this.get(before);
      if (last === undefined) return [];
      range = { lower: [conversation], upper: [conversation, last.seq ?? LAST, last.id], upperOpen: true };
    }
    return (await this.#table.list({ index: "place", range, limit, falling: true })).reverse();
  }

  /** All messages of all conversations by rising id, for an export or a search. */
  after(id: number, limit: number): Promise<Message[]> {
    return this.#table.list({ range: { lower: id, lowerOpen: true }, limit });
  }

  /** The latest 1,000 messages of a conversation that hold files, newest last. */
  async withFiles(conversationId: string): Promise<(Message & { readonly file: FileReference })[]> {
    const range = under(this.#conversation(conversationId));
    const found = await this.#table.list({ index: "filed", range, limit: MOST_FILES, falling: true });
    return found.reverse().flatMap((one) => (one.file === null ? [] : [{ ...one, file: one.file }]));
  }

  /** An own message has got its place. */
  placed(id: number, seq: number, createdAt: string): Promise<void> {
    return this.#change(id, { seq, created_at: createdAt, state: "sent" });
  }

  /** It stands at another place now. */
  moved(id: number, seq: number): Promise<void> {
    return this.#change(id, { seq });
  }

  /** The server has it no more, as it says. */
  setGone(id: number): Promise<void> {
    return this.#change(id, { gone: true });
  }

  setState(id: number, state: State): Promise<void> {
    return this.#change(id, { state });
  }

  /** Another text, by an edit at this place; false where a later one was taken. */
  async edit(id: number, said: string, seq: number): Promise<boolean> {
    const known = await this.get(id);
    if (known === undefined || known.edited >= seq) return false;
    this.#put({ ...known, text: said, edited: seq });
    return true;
  }

  /** Take the content away; the place stays. */
  erase(id: number): Promise<void> {
    return this.#change(id, { state: "deleted", text: "", file: null, reply_to: null, expires_at: null });
  }

  /** Have nothing of one that never had a place. */
  drop(id: number): void {
    this.#table.remove(id);
  }

  /** Take away what has expired by this moment (RFC 3339, UTC, milliseconds); the places stay. The own ones of it. */
  async expire(moment: string): Promise<Message[]> {
    if (moment < this.#calmUntil) return [];
    const expired = await this.#table.list({ index: "expires", range: { upper: moment } });
    for (const one of expired) await this.erase(one.id);
    const [next] = await this.#table.list({ index: "expires", limit: 1 });
    // One that is damaged stands in the index all the same, and may hide others.
    const isEmpty = next === undefined && (await this.#table.keys({ index: "expires" })).length === 0;
    this.#calmUntil = isEmpty ? NEVER : (next?.expires_at ?? "");
    return expired.filter((one) => one.outgoing);
  }

  /** What was found out belongs to a transaction that failed. */
  forget(): void {
    this.#unknown.clear();
    this.#calmUntil = "";
  }

  /** How many messages of others lie above what was read. */
  async unread(conversationId: string, readSeq: number): Promise<number> {
    const conversation = this.#conversation(conversationId);
    const lower: Key = [conversation, readSeq];
    const range = { lower, lowerOpen: true, upper: [conversation, []] };
    return (await this.#table.keys({ index: "unread", range })).length;
  }

  async #change(id: number, values: Partial<Message>): Promise<void> {
    const known = await this.get(id);
    if (known !== undefined) this.#put({ ...known, ...values });
  }

  #put(message: Message): void {
    const { expires_at } = message;
    if (expires_at !== null && expires_at < this.#calmUntil) this.#calmUntil = expires_at;
    this.#table.put(message);
  }

  #conversation(conversationId: string): string {
    return this.#blind("conversation", conversationId);
  }
}
