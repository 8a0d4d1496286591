/**
 * A message has come: is it what the server says, who wrote it, and what does it say?
 *
 * One message is taken in inside a transaction: its place, the ratchet states that opened it, its plaintext and the
 * event that tells of it are committed together, and only then acknowledged. Whatever is wrong with it becomes an
 * event; nothing that a server sends makes this throw, but `Behind`: then the server is asked first.
 */

import { type Body, type FileBody, type Text } from "../e2e/bodies.ts";
import {
  AuthenticationFailed,
  BadSenderSignature,
  EncryptionError,
  Malformed,
  NotApprovedYet,
  ReplayedMessage,
  UnknownSenderKey,
} from "../e2e/errors.ts";
import { type Payload, bodyOf } from "../e2e/payload.ts";
import type { Conversation } from "../store/conversations.ts";
import type { Message } from "../wire/conversations.ts";
import { judgesOwn } from "./approval.ts";
import type { Batch } from "./batch.ts";
import { cameBefore } from "./history.ts";
import { reasonOf } from "./naming.ts";
import { obey } from "./obeying.ts";
import { isContent, open } from "./opening.ts";
import { compareSeen, gone, progressOf, questionEnded, seeNumber, takePlace } from "./order.ts";
import { askAgain, takeAgain, takeEdit, tellUnanswered } from "./resends.ts";
import { takeOwn } from "./restoring.ts";
import {
  checkMark,
  checkSpeaker,
  currentRoster,
  park,
  parkedIn,
  rostersOf,
  unpark,
  writerAwaited,
} from "./rosters.ts";
import { messageOf } from "./settling.ts";
import { tell, warn } from "./telling.ts";
import { sidesOf } from "./pictures.ts";
import type { Store } from "./vault.ts";

export const CONTROL = "control";
/** What devices say to each other pairwise in a group; all the rest goes to everybody, by sender key. */
const PAIRWISE: ReadonlySet<string | null> = new Set([
  "sender_key",
  "resend_request",
  "resent",
  "metadata_key",
  "roster",
  "roster_request",
]);

/** Take one message in. Its conversation is known, and its sender's keys were asked for. Behind. */
export async function takeMessage(store: Store, batch: Batch, message: Message): Promise<void> {
  const { conversation_id, seq } = message;
  const row = await store.conversations.get(conversation_id);
  if (row === undefined) return;
  batch.acks.set(conversation_id, Math.max(seq, batch.acks.get(conversation_id) ?? 0));
  if (!(await takePlace(store, row, message, batch.now)) || (await cameBefore(store, message))) return;
  if (message.sender_device_id === (await store.deviceId())) await takeOwn(store, batch, row, message);
  else if (message.content === null && message.envelope === null) await takeEmpty(store, message);
  else await takeSealed(store, batch, row, message);
}

/** A place without anything to read: for other devices, or deleted or expired, as the server says. */
async function takeEmpty(store: Store, message: Message): Promise<void> {
  if (message.kind === CONTROL || !(message.deleted || message.expires_at !== null)) return;
  (await progressOf(store, message.conversation_id, message.sender_device_id)).passOver();
  await gone(store, message.conversation_id, message.seq);
}

async function takeSealed(store: Store, batch: Batch, row: Conversation, message: Message): Promise<void> {
  const known = await rostersOf(store, row.conversation_id);
  if (row.type === "group" && message.envelope === null && known.current === undefined) {
    if (await park(store, message)) return;
    await warn(
      store,
      message,
      "messages_lost",
      "no_roster",
      "Too many messages wait for the group's roster.",
    );
    return;
  }
  if (row.type === "group" && (await writerAwaited(store, message)) && (await park(store, message))) return;
  try {
    const payload = await open(store, batch, row, message);
    await takePayload(store, batch, row, message, payload);
  } catch (error) {
    if (!(error instanceof EncryptionError)) throw error;
    // From before this device was in the group.
    if (error instanceof UnknownSenderKey && message.seq < known.firstSeq) return;
    const isNamed =
      !error.asksResend || error instanceof AuthenticationFailed || error instanceof BadSenderSignature;
    if (isNamed) await warn(store, message, "message_rejected", reasonOf(error), error.message);
    if (error.asksResend) await askAgain(store, batch, row, message, error.message);
  }
}

async function takePayload(
  store: Store,
  batch: Batch,
  row: Conversation,
  message: Message,
  payload: Payload,
): Promise<void> {
  const body = bodyOf(payload);
  const own = payload.sender_id === (await store.userId());
  if (own && body.type !== "account_grant" && !(await judgesOwn(store))) {
    // Asked for again once the grant is here, which comes behind the list that others go by.
    throw new NotApprovedYet("Nothing vouches for this device's siblings before it is approved.");
  }
  await checkBody(store, row, message, payload, body);
  if (payload.number > 0) await seeNumber(store, message, payload.number);
  await compareSeen(store, message, payload);
  // A roster brings what its mark names.
  if (row.type === "group" && body.type !== "roster") await checkMark(store, batch, row, payload, message);
  if (body.type !== "resent") {
    await takeBody(store, batch, row, payload, body, message, message.seq, false);
    return;
  }
  const again = await takeAgain(store, payload);
  if (again === undefined) return;
  const { payload: original, seq } = again;
  const found = bodyOf(original);
  checkKind(original, found);
  if (row.type === "group" && !(await needsNoRoster(store, row, found))) {
    await checkSpeaker(store, row.conversation_id, original.sender_id, seq);
  }
  if (original.number > 0) await seeNumber(store, message, original.number, true);
  await questionEnded(store, row.conversation_id, message.sender_device_id, message.sender_id);
  await takeBody(store, batch, row, original, found, message, seq, true);
  await release(store, batch, row);
}

/** Tell what nobody has sent again for a day, and judge what has waited for it. Behind. */
export async function giveUp(store: Store, batch: Batch): Promise<void> {
  await tellUnanswered(store, batch.now);
  for (const conversationId of await parkedIn(store)) {
    const row = await store.conversations.get(conversationId);
    if (row === undefined || (await currentRoster(store, conversationId)) === undefined) continue;
    await release(store, batch, row);
  }
}

/** Take in what has waited for a roster or a change of it; what still has to wait is put aside again. */
async function release(store: Store, batch: Batch, row: Conversation): Promise<void> {
  for (const waiting of await unpark(store, row.conversation_id))
    await takeSealed(store, batch, row, waiting);
}

/** Whether this may be said in this way. Malformed, NotInAudience. */
async function checkBody(
  store: Store,
  row: Conversation,
  message: Message,
  payload: Payload,
  body: Body,
): Promise<void> {
  checkKind(payload, body);
  if (row.type !== "group" || body.type === null) return;
  if (PAIRWISE.has(body.type) !== (message.envelope !== null)) {
    throw new Malformed("A message came pairwise that goes to the whole group, or the other way.");
  }
  if (await needsNoRoster(store, row, body)) return;
  await checkSpeaker(store, row.conversation_id, payload.sender_id, message.seq);
}

function checkKind(payload: Payload, body: Body): void {
  if (body.type !== null && isContent(body) === (payload.kind === CONTROL)) {
    throw new Malformed("The message says another thing than its kind.");
  }
}

/** A roster is judged by what it names; and without one nothing else that comes pairwise does harm. */
async function needsNoRoster(store: Store, row: Conversation, body: Body): Promise<boolean> {
  if (body.type === "roster") return true;
  return PAIRWISE.has(body.type) && (await currentRoster(store, row.conversation_id)) === undefined;
}

async function takeBody(
  store: Store,
  batch: Batch,
  row: Conversation,
  payload: Payload,
  body: Body,
  message: Message,
  seq: number,
  late: boolean,
): Promise<void> {
  if (isContent(body)) await write(store, batch, payload, body, seq, message, late);
  else if (await obey(store, batch, row, payload, body, message, seq)) await release(store, batch, row);
}

/** Write a message down, and tell of it. `message` is what brought it, itself or again. */
async function write(
  store: Store,
  batch: Batch,
  payload: Payload,
  body: Text | FileBody,
  seq: number,
  message: Message,
  late: boolean,
): Promise<void> {
  const { conversation_id, client_id, sender_id, sender_device_id, kind, sent_at } = payload;
  const known = await store.messages.find(payload);
  if (known?.state === "deleted") return; // its author has taken it away meanwhile
  if (known !== undefined) throw new ReplayedMessage("A message comes for the second time.");
  const outgoing = sender_id === (await store.userId());
  const expiresIn = payload.expires_in ?? null;
  const now = batch.now * 1_000;
  const { reply_to } = body;
  const id = await store.messages.add({
    ...{ conversation_id, client_id, sender_id, sender_device_id, seq, kind, outgoing, sent_at, late },
    text: body.text,
    file: body.type === "file" ? body.file : null,
    ...sidesOf(body),
    reply_to: typeof reply_to === "string" ? reply_to : (reply_to?.client_id ?? null),
    received_at: batch.moment,
    created_at: message.created_at,
    state: outgoing ? "sent" : "received",
    expires_at: expiresIn === null ? null : new Date(now + expiresIn * 1_000).toISOString(),
    expires_in: expiresIn,
  });
  if (late) await takeEdit(store, payload, id);
  await store.conversations.touch(conversation_id, Math.floor(now));
  await tell(store, { event: "message_received", message: await messageOf(store, id) });
  if (message.deleted) await gone(store, conversation_id, seq);
}
