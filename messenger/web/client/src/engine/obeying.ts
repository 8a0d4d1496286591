/**
 * What a message asks of this device besides being shown: sender keys, resends, rosters, grants, names' keys, marks,
 * and what authors say of their messages later.
 */

import type { Body, MessageReference, RosterBody, SenderKey } from "../e2e/bodies.ts";
import { NotTheAuthor, RosterRefused } from "../e2e/errors.ts";
import { ReceivedChains } from "../e2e/chains.ts";
import type { Payload } from "../e2e/payload.ts";
import { same } from "../e2e/primitives.ts";
import type { Conversation } from "../store/conversations.ts";
import type { Named } from "../store/places.ts";
import type { Message } from "../wire/conversations.ts";
import { takeGrant } from "./approval.ts";
import type { Batch } from "./batch.ts";
import { takeRosterChange } from "./membership.ts";
import { progressOf } from "./order.ts";
import { editEarly, forget, sendAgain } from "./resends.ts";
import { answerRequest, leads, rostersOf, takeWhole } from "./rosters.ts";
import { messageOf } from "./settling.ts";
import { tell, warn } from "./telling.ts";
import { retitle } from "./titles.ts";
import type { Store } from "./vault.ts";

/**
 * Do what a payload says that came at this place; whether a roster came by which others are judged.
 *
 * EncryptionError for what its sender may not ask.
 */
export async function obey(
  store: Store,
  batch: Batch,
  row: Conversation,
  payload: Payload,
  body: Body,
  message: Message,
  seq: number,
): Promise<boolean> {
  const { conversation_id } = row;
  switch (body.type) {
    case "sender_key":
      await takeChain(store, row, payload, body, seq);
      break;
    case "start":
      (await progressOf(store, conversation_id, payload.sender_device_id)).expect(body.number);
      break;
    case "resend_request":
      await sendAgain(store, batch, row, payload, body.client_id);
      break;
    case "roster":
      return takeRoster(store, batch, row, payload, body, message);
    case "roster_change":
      await takeRosterChange(store, batch, conversation_id, body, payload.sender_id, message, seq);
      break;
    case "roster_request":
      await answerRequest(store, batch, conversation_id, payload, body.version);
      break;
    case "metadata_key":
      await takeMetadataKey(store, row, body.key);
      break;
    case "account_grant":
      await takeGrant(store, batch, payload, body);
      break;
    case "verified":
      await takeMark(store, payload, body.user_id, body.account_key);
      break;
    case "delete":
      await takeDeletion(store, row, payload, body.message, seq);
      break;
    case "edit":
      await takeEditing(store, payload, body.message, body.text, seq);
      break;
    case "timer":
      await takeTimer(store, row, payload, body.expires_in, seq);
      break;
    default: // nothing that this client does by itself
  }
  return false;
}

async function takeChain(
  store: Store,
  row: Conversation,
  payload: Payload,
  body: SenderKey,
  seq: number,
): Promise<void> {
  const { conversation_id } = row;
  const { sender_id, sender_device_id } = payload;
  const name = `${conversation_id}/${sender_device_id}`;
  const known = await store.states.get(ReceivedChains, name);
  const chains = known ?? ReceivedChains.none(conversation_id, sender_id, sender_device_id);
  // Without a roster nobody can be judged yet; what comes under the chain will be.
  const standing = (await rostersOf(store, conversation_id)).at(seq);
  const isMember = row.type === "self" || standing === undefined || standing.member(sender_id) !== undefined;
  chains.accept(body, payload, isMember);
  store.states.save(name, chains);
  (await progressOf(store, conversation_id, sender_device_id)).expect(body.number);
}

async function takeRoster(
  store: Store,
  batch: Batch,
  row: Conversation,
  payload: Payload,
  body: RosterBody,
  message: Message,
): Promise<boolean> {
  try {
    return await takeWhole(store, batch, row, payload, body, message.seq);
  } catch (error) {
    if (!(error instanceof RosterRefused)) throw error;
    await warn(store, message, "roster_differs", "roster_refused", error.message);
    return false;
  }
}

/** A key that opens what the server has; anybody in the group may have passed it on. */
async function takeMetadataKey(store: Store, row: Conversation, key: Uint8Array): Promise<void> {
  const { conversation_id, metadata } = row;
  if (metadata === null) await store.conversations.set(conversation_id, { metadata_key: key });
  else await retitle(store, conversation_id, metadata, key);
}

async function takeMark(
  store: Store,
  payload: Payload,
  userId: string,
  accountKey: Uint8Array,
): Promise<void> {
  if (payload.sender_id !== (await store.userId())) return;
  const known = await store.known(userId);
  if (known.accountKey === null || known.refused || !same(known.accountKey, accountKey)) return;
  known.setVerified(true);
  store.states.save(userId, known);
}

// the author's word

function namedBy(conversation_id: string, { device_id, client_id }: MessageReference): Named {
  return { conversation_id, sender_device_id: device_id, client_id };
}

/** Take a message away; one that is not here yet is not shown when it comes. */
async function takeDeletion(
  store: Store,
  row: Conversation,
  payload: Payload,
  reference: MessageReference,
  seq: number,
): Promise<void> {
  const { conversation_id } = row;
  const { device_id, client_id } = reference;
  const named = namedBy(conversation_id, reference);
  const found = await store.messages.find(named);
  let author = found === undefined ? await userOf(store, payload, device_id) : found.sender_id;
  const isLead = row.type === "group" && (await leads(store, conversation_id, payload.sender_id, seq));
  if (author !== payload.sender_id && !isLead) {
    throw new NotTheAuthor("Somebody deletes a message who is neither its author nor leads the group.");
  }
  const place = await store.places.of(named);
  if (found === undefined && author === undefined && place !== undefined) {
    // Whose it is, as far as known.
    author = (await store.sessions("", device_id)).userId || payload.sender_id;
  }
  await forget(store, named);
  if (found === undefined && author !== undefined) {
    await store.messages.addDeleted(named, author, place ?? null, payload.sent_at);
  } else if (found !== undefined && found.state !== "deleted") {
    await store.messages.erase(found.id);
  } else {
    return;
  }
  if (device_id === (await store.deviceId())) await store.forgetSent(client_id, (found?.edited ?? 0) > 0);
  await tell(store, {
    event: "message_deleted",
    conversation_id,
    message_id: found?.id ?? null,
    seq: place ?? seq,
    by: payload.sender_id,
  });
}

/** Whose device it is, if it is the sender's own. */
async function userOf(store: Store, payload: Payload, deviceId: string): Promise<string | undefined> {
  const { sender_id, sender_device_id } = payload;
  const own = deviceId === sender_device_id || (await store.known(sender_id)).deviceIds.includes(deviceId);
  return own ? sender_id : undefined;
}

async function takeEditing(
  store: Store,
  payload: Payload,
  reference: MessageReference,
  text: string,
  seq: number,
): Promise<void> {
  const named = namedBy(payload.conversation_id, reference);
  const found = await store.messages.find(named);
  if (found === undefined) {
    await editEarly(store, named, payload.sender_id, text, seq);
    return;
  }
  if (found.state === "deleted") return;
  if (found.sender_id !== payload.sender_id) {
    throw new NotTheAuthor("Somebody edits a message who is not its author.");
  }
  if (await store.messages.edit(found.id, text, seq)) {
    await tell(store, { event: "message_edited", message: await messageOf(store, found.id) });
  }
}

async function takeTimer(
  store: Store,
  row: Conversation,
  payload: Payload,
  expiresIn: number | null,
  seq: number,
): Promise<void> {
  const { conversation_id, title } = row;
  if (row.type === "group" && !(await leads(store, conversation_id, payload.sender_id, seq))) {
    throw new NotTheAuthor("Somebody sets how long messages are kept who does not lead the group.");
  }
  if (row.expires_in === expiresIn) return;
  await store.conversations.set(conversation_id, { expires_in: expiresIn });
  await tell(store, { event: "conversation_updated", conversation_id, title });
}
