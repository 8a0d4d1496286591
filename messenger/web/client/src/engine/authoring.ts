/** What the user says in a conversation, and says of it later: texts, files, edits, deletions, timers. */

import { type FileBody, type Known, type MessageReference, type Text, encodeBody } from "../e2e/bodies.ts";
import { MAX_PAYLOAD } from "../e2e/padding.ts";
import { Refused } from "../net/errors.ts";
import { StoreCorrupt } from "../store/errors.ts";
import type { Message } from "../store/messages.ts";
import { utf8 } from "../wire/bytes.ts";
import { beginBatch } from "./batch.ts";
import type { Engine } from "./core.ts";
import {
  ClientError,
  ConversationHasEnded,
  MembershipRefused,
  MessageTooLarge,
  NotApproved,
  NotYours,
  QueueFull,
  UnknownConversation,
} from "./errors.ts";
import { sidesOf } from "./pictures.ts";
import { queue } from "./queueing.ts";
import { leads } from "./rosters.ts";
import { messageOf } from "./settling.ts";
import type { Store } from "./vault.ts";

const ROOM = 1_024; // bytes of a payload besides its text
const LONGEST_TIMER = 31_536_000; // seconds

/** Writing in one conversation. */
export class Authoring {
  readonly #engine: Engine;
  readonly conversationId: string;

  constructor(engine: Engine, conversationId: string) {
    this.#engine = engine;
    this.conversationId = conversationId;
  }

  /**
   * Write a text down to be sent when that is possible; it is safe once this returns. Who may ask twice gives a
   * `clientId`, a UUID: what was written under it is not written again.
   *
   * MessageTooLarge, QueueFull, ConversationHasEnded, NotApproved.
   */
  async enqueue(text: string, replyTo?: Message, clientId?: string): Promise<Message> {
    checkLength(text);
    const reply = replyTo && referenceTo(replyTo);
    return this.put({ type: "text", text, ...(reply === undefined ? {} : { reply_to: reply }) }, clientId);
  }

  /** Send a text; the message, once the server has it. As `enqueue`; SendingFailed. */
  async send(text: string, replyTo?: Message): Promise<Message> {
    return this.settled(await this.enqueue(text, replyTo));
  }

  /** The message once the server has answered for it. SendingFailed. */
  async settled(message: Message): Promise<Message> {
    await this.#engine.settled(message);
    return this.#engine.vault.run((store) => messageOf(store, message.id));
  }

  /** Write down what is to be sent; as `enqueue`. */
  async put(body: Text | FileBody, clientId: string = crypto.randomUUID()): Promise<Message> {
    await this.checkOpen();
    const { vault, queue: most, clock, sending } = this.#engine;
    const now = clock.now();
    const message = await vault.run((store) =>
      written(store, this.conversationId, body, most, now, clientId),
    );
    sending.wake(this.conversationId);
    return message;
  }

  /**
   * Write a message that could not be sent down anew, in place of it: under a name of its own, since the server may
   * know the one before. `clientId` as for `enqueue`. NotYours, and what `enqueue` throws.
   */
  async again(id: number, clientId: string): Promise<Message> {
    await this.checkOpen();
    const { vault, queue: most, clock, sending } = this.#engine;
    const now = clock.now();
    const message = await vault.run(async (store) => {
      const there = await store.messages.find({
        ...{ conversation_id: this.conversationId, sender_device_id: await store.deviceId() },
        client_id: clientId,
      });
      if (there !== undefined) return there;
      const found = await store.messages.get(id);
      if (found?.state !== "failed" || found.conversation_id !== this.conversationId) {
        throw new NotYours("Only a message that could not be sent is sent again.");
      }
      store.messages.drop(found.id);
      return written(store, this.conversationId, await bodyOf(store, found), most, now, clientId);
    });
    sending.wake(this.conversationId);
    return message;
  }

  /** ConversationHasEnded, NotApproved. */
  async checkOpen(): Promise<void> {
    if (!this.#engine.approved) throw new NotApproved();
    const row = await this.#engine.vault.run((store) => store.conversations.get(this.conversationId));
    if (row === undefined || row.ended) throw new ConversationHasEnded();
  }

  // later

  /** Give an own message another text, for everybody. NotYours, MessageTooLarge. */
  async edit(message: Message, text: string): Promise<Message> {
    checkLength(text);
    if (!message.outgoing || message.state === "deleted") {
      throw new NotYours("Only a message of your own can be edited.");
    }
    await this.#say(async (store) => {
      // Above every edit that others have placed so far, and below those to come.
      const place = (await store.conversations.get(this.conversationId))?.place ?? 0;
      await store.messages.edit(message.id, text, place + 1);
      return { type: "edit", message: referenceTo(message), text };
    });
    return this.#engine.vault.run((store) => messageOf(store, message.id));
  }

  /**
   * Take a message away, for everybody: an own one, or in a group anybody's by its owner or admins.
   *
   * Others' devices go by this user's word; then the server is asked to delete its ciphertext. One that could not be
   * sent only goes from here. NotYours.
   */
  async remove(message: Message): Promise<void> {
    const { seq } = message;
    if (message.state === "failed") {
      await this.#engine.vault.run((store) => {
        store.messages.drop(message.id);
      });
      return;
    }
    if (seq === null) throw new NotYours("The message has not been sent yet.");
    const { api, facts } = this.#engine;
    await this.#say(async (store) => {
      if (!message.outgoing && !(await this.#leads(store))) {
        throw new NotYours("Only its author, or who leads the group, can delete a message.");
      }
      await store.messages.erase(message.id);
      if (message.sender_device_id === facts.deviceId)
        await store.forgetSent(message.client_id, message.edited > 0);
      return { type: "delete", message: referenceTo(message) };
    });
    try {
      await api.deleteMessage(this.conversationId, seq);
    } catch (error) {
      // Another device of one's own may not, by the server's rules; those who read have it taken away.
      if (!(error instanceof Refused) || message.sender_device_id === facts.deviceId) throw error;
    }
  }

  /**
   * How many seconds later messages are kept, 1 to 31,536,000 (a year); null for ever. In a group by its owner or
   * admins: MembershipRefused. ClientError (`bad_timer`).
   */
  async setTimer(expiresIn: number | null): Promise<void> {
    if (
      expiresIn !== null &&
      !(Number.isInteger(expiresIn) && expiresIn >= 1 && expiresIn <= LONGEST_TIMER)
    ) {
      throw new ClientError("A timer has 1 to 31,536,000 seconds.", "bad_timer");
    }
    await this.#say(async (store) => {
      const row = await store.conversations.get(this.conversationId);
      if (row === undefined) throw new UnknownConversation();
      if (row.type === "group" && !(await this.#leads(store))) {
        throw new MembershipRefused("Only who leads the group sets how long messages are kept.");
      }
      await store.conversations.set(this.conversationId, { expires_in: expiresIn });
      return { type: "timer", expires_in: expiresIn };
    });
  }

  /** Whether this user is owner or admin of the group. */
  async #leads(store: Store): Promise<boolean> {
    const row = await store.conversations.get(this.conversationId);
    if (row?.type !== "group") return false;
    return leads(store, this.conversationId, await store.userId(), row.place ?? 0);
  }

  /** Write down a control message for everybody; returns once the server has it. */
  async #say(made: (store: Store) => Promise<Known>): Promise<void> {
    await this.checkOpen();
    const { vault, clock, sending } = this.#engine;
    const batch = beginBatch(clock.now());
    const clientId = await vault.run(async (store) =>
      queue(store, batch, this.conversationId, await made(store)),
    );
    sending.wake(this.conversationId);
    await this.#engine.taken(clientId);
  }
}

/**
 * An own message, in the store and in the outbox, unless it is there. `now` in milliseconds since 1970. QueueFull.
 */
export async function written(
  store: Store,
  conversationId: string,
  body: Text | FileBody,
  most: number,
  now: number,
  clientId: string = crypto.randomUUID(),
): Promise<Message> {
  const sender_device_id = await store.deviceId();
  const there = await store.messages.find({
    conversation_id: conversationId,
    sender_device_id,
    client_id: clientId,
  });
  if (there !== undefined) return there;
  if ((await store.outbox.count()) >= most) throw new QueueFull();
  const row = await store.conversations.get(conversationId);
  if (row === undefined) throw new UnknownConversation();
  const moment = new Date(now).toISOString();
  const what = {
    conversation_id: conversationId,
    client_id: clientId,
    kind: body.type,
    sent_at: moment,
  };
  await store.outbox.add({ ...what, body: encodeBody(body) });
  const { expires_in } = row;
  const { reply_to } = body;
  const id = await store.messages.add({
    ...what,
    sender_id: await store.userId(),
    sender_device_id,
    seq: null,
    text: body.text,
    file: body.type === "file" ? body.file : null,
    ...sidesOf(body),
    reply_to: typeof reply_to === "string" ? reply_to : (reply_to?.client_id ?? null),
    outgoing: true,
    received_at: moment,
    created_at: null,
    state: "queued",
    expires_in,
    expires_at: expires_in === null ? null : new Date(now + expires_in * 1_000).toISOString(),
  });
  await store.conversations.touch(conversationId, Math.floor(now));
  if (body.type === "text") store.drafts.keep(conversationId, "", store.now);
  const message = await store.messages.get(id);
  if (message === undefined) throw new StoreCorrupt("A message is gone.");
  return message;
}

/** What a message says, to be said once more. */
async function bodyOf(
  store: Store,
  { conversation_id, text, file, width, height, reply_to }: Message,
): Promise<Text | FileBody> {
  const replied = reply_to === null ? undefined : await store.messages.replied(conversation_id, reply_to);
  const reply = replied === undefined ? {} : { reply_to: referenceTo(replied) };
  if (file === null) return { type: "text", text, ...reply };
  return { type: "file", file, text, ...(width > 0 ? { width, height } : {}), ...reply };
}

/** MessageTooLarge. */
export function checkLength(text: string): void {
  if (utf8(text).length <= MAX_PAYLOAD - ROOM) return;
  throw new MessageTooLarge(`A message has at most ${String(MAX_PAYLOAD - ROOM)} bytes.`);
}

function referenceTo({ sender_device_id, client_id }: Message): MessageReference {
  return { device_id: sender_device_id, client_id };
}
