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
import type { Shelf } from "./vault.ts";

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
export async function takeMessage(shelf: Shelf, batch: Batch, message: Message): Promise<void> {
  const { conversation_id, seq } = message;
  const row = await shelf.conversations.get(conversation_id);
  if (row === undefined) return;
  batch.acks.set(conversation_id, Math.max(seq, batch.acks.get(conversation_id) ?? 0));
  if (!(await takePlace(shelf, row, message, batch.now)) || (await cameBefore(shelf, message))) return;
  if (message.sender_device_id === (await shelf.deviceId())) await takeOwn(shelf, batch, row, message);
  else if (message.content === null && message.envelope === null) await takeEmpty(shelf, message);
  else await takeSealed(shelf, batch, row, message);
}

/** A place without anything to read: for other devices, or deleted or expired, as the server says. */
async function takeEmpty(shelf: Shelf, message: Message): Promise<void> {
  if (message.kind === CONTROL || !(message.deleted || message.expires_at !== null)) return;
  (await progressOf(shelf, message.conversation_id, message.sender_device_id)).passOver();
  await gone(shelf, message.conversation_id, message.seq);
}

async function takeSealed(shelf: Shelf, batch: Batch, row: Conversation, message: Message): Promise<void> {
  const known = await rostersOf(shelf, row.conversation_id);
  if (row.type === "group" && message.envelope === null && known.current === undefined) {
    if (await park(shelf, message)) return;
    await warn(
      shelf,
      message,
      "messages_lost",
      "no_roster",
      "Too many messages wait for the group's roster.",
    );
    return;
  }
  if (row.type === "group" && (await writerAwaited(shelf, message)) && (await park(shelf, message))) return;
  try {
    const payload = await open(shelf, batch, row, message);
    await takePayload(shelf, batch, row, message, payload);
  } catch (error) {
    if (!(error instanceof EncryptionError)) throw error;
    // From before this device was in the group.
    if (error instanceof UnknownSenderKey && message.seq < known.firstSeq) return;
    const isNamed =
      !error.asksResend || error instanceof AuthenticationFailed || error instanceof BadSenderSignature;
    if (isNamed) await warn(shelf, message, "message_rejected", reasonOf(error), error.message);
    if (error.asksResend) await askAgain(shelf, batch, row, message, error.message);
  }
}

async function takePayload(
  shelf: Shelf,
  batch: Batch,
  row: Conversation,
  message: Message,
  payload: Payload,
): Promise<void> {
  const body = bodyOf(payload);
  const own = payload.sender_id === (await shelf.userId());
  if (own && body.type !== "account_grant" && !(await judgesOwn(shelf))) {
    // Asked for again once the grant is here, which comes behind the list that others go by.
    throw new NotApprovedYet("Nothing vouches for this device's siblings before it is approved.");
  }
  await checkBody(shelf, row, message, payload, body);
  if (payload.number > 0) await seeNumber(shelf, message, payload.number);
  await compareSeen(shelf, message, payload);
  // A roster brings what its mark names.
  if (row.type === "group" && body.type !== "roster") await checkMark(shelf, batch, row, payload, message);
  if (body.type !== "resent") {
    await takeBody(shelf, batch, row, payload, body, message, message.seq, false);
    return;
  }
  const again = await takeAgain(shelf, payload);
  if (again === undefined) return;
  const { payload: original, seq } = again;
  const found = bodyOf(original);
  checkKind(original, found);
  if (row.type === "group" && !(await needsNoRoster(shelf, row, found))) {
    await checkSpeaker(shelf, row.conversation_id, original.sender_id, seq);
  }
  if (original.number > 0) await seeNumber(shelf, message, original.number, true);
  await questionEnded(shelf, row.conversation_id, message.sender_device_id, message.sender_id);
  await takeBody(shelf, batch, row, original, found, message, seq, true);
  await release(shelf, batch, row);
}

/** Tell what nobody has sent again for a day, and judge what has waited for it. Behind. */
export async function giveUp(shelf: Shelf, batch: Batch): Promise<void> {
  await tellUnanswered(shelf, batch.now);
  for (const conversationId of await parkedIn(shelf)) {
    const row = await shelf.conversations.get(conversationId);
    if (row === undefined || (await currentRoster(shelf, conversationId)) === undefined) continue;
    await release(shelf, batch, row);
  }
}

/** Take in what has waited for a roster or a change of it; what still has to wait is put aside again. */
async function release(shelf: Shelf, batch: Batch, row: Conversation): Promise<void> {
  for (const waiting of await unpark(shelf, row.conversation_id))
    await takeSealed(shelf, batch, row, waiting);
}

/** Whether this may be said in this way. Malformed, NotInAudience. */
async function checkBody(
  shelf: Shelf,
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
  if (await needsNoRoster(shelf, row, body)) return;
  await checkSpeaker(shelf, row.conversation_id, payload.sender_id, message.seq);
}

function checkKind(payload: Payload, body: Body): void {
  if (body.type !== null && isContent(body) === (payload.kind === CONTROL)) {
    throw new Malformed("The message says another thing than its kind.");
  }
}

/** A roster is judged by what it names; and without one nothing else that comes pairwise does harm. */
async function needsNoRoster(shelf: Shelf, row: Conversation, body: Body): Promise<boolean> {
  if (body.type === "roster") return true;
  return PAIRWISE.has(body.type) && (await currentRoster(shelf, row.conversation_id)) === undefined;
}

async function takeBody(
  shelf: Shelf,
  batch: Batch,
  row: Conversation,
  payload: Payload,
  body: Body,
  message: Message,
  seq: number,
  late: boolean,
): Promise<void> {
  if (isContent(body)) await store(shelf, batch, payload, body, seq, message, late);
  else if (await obey(shelf, batch, row, payload, body, message, seq)) await release(shelf, batch, row);
}

/** Write a message down, and tell of it. `message` is what brought it, itself or again. */
async function store(
  shelf: Shelf,
  batch: Batch,
  payload: Payload,
  body: Text | FileBody,
  seq: number,
  message: Message,
  late: boolean,
): Promise<void> {
  const { conversation_id, client_id, sender_id, sender_device_id, kind, sent_at } = payload;
  const known = await shelf.messages.find(payload);
  if (known?.state === "deleted") return; // its author has taken it away meanwhile
  if (known !== undefined) throw new ReplayedMessage("A message comes for the second time.");
  const outgoing = sender_id === (await shelf.userId());
  const expiresIn = payload.expires_in ?? null;
  const now = batch.now * 1_000;
  const { reply_to } = body;
  const id = await shelf.messages.add({
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
  if (late) await takeEdit(shelf, payload, id);
  await shelf.conversations.touch(conversation_id, Math.floor(now));
  await tell(shelf, { event: "message_received", message: await messageOf(shelf, id) });
  if (message.deleted) await gone(shelf, conversation_id, seq);
}
