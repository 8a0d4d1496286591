/** Messages that could not be decrypted are asked for again, and sent again to who asks. */

import { NotResent } from "../e2e/errors.ts";
import { SendingChain } from "../e2e/groups.ts";
import type { Payload } from "../e2e/payload.ts";
import { RESEND_KEPT, RESEND_MESSAGES, ResendRequests, SentMessage } from "../e2e/resend.ts";
import type { PeerDevice } from "../e2e/sessions.ts";
import type { Conversation } from "../store/conversations.ts";
import type { Named } from "../store/places.ts";
import { Early } from "../store/waiting.ts";
import type { Message } from "../wire/conversations.ts";
import { provisional } from "./approval.ts";
import type { Batch } from "./batch.ts";
import { progressOf, questionEnded } from "./order.ts";
import { devicesOf, listedDevice, queue } from "./queueing.ts";
import { warn, warnOf } from "./telling.ts";
import type { Store } from "./vault.ts";

function nameOf({ conversation_id, sender_device_id, client_id }: Named): string {
  return `${conversation_id}/${sender_device_id}/${client_id}`;
}

/** What is asked for; to be changed, and stored by who changes it. */
async function requestsOf(store: Store): Promise<ResendRequests> {
  return (await store.states.get(ResendRequests, "own")) ?? ResendRequests.none();
}

/** Keep an edit, at this place, whose message is asked for again. */
export async function editEarly(
  store: Store,
  named: Named,
  senderId: string,
  text: string,
  seq: number,
): Promise<void> {
  const requests = await requestsOf(store);
  if (!requests.asksFor(named.conversation_id, named.sender_device_id, named.client_id)) return;
  const known = await store.states.get(Early, nameOf(named));
  if (known !== undefined && known.said.seq > seq) return;
  store.states.save(nameOf(named), new Early({ senderId, text, seq }));
}

/** Give a message that was asked for the text that its author gave it meanwhile. */
export async function takeEdit(store: Store, payload: Payload, id: number): Promise<void> {
  const early = await store.states.get(Early, nameOf(payload));
  if (early === undefined) return;
  store.states.drop(Early, nameOf(payload));
  const { senderId, text, seq } = early.said;
  if (senderId === payload.sender_id) await store.messages.edit(id, text, seq);
}

/** A message was taken away: it is asked for no more. */
export async function forget(store: Store, named: Named): Promise<void> {
  const { conversation_id, sender_device_id, client_id } = named;
  const requests = await requestsOf(store);
  if (!requests.asksFor(conversation_id, sender_device_id, client_id)) return;
  requests.forget(conversation_id, sender_device_id, client_id);
  (await progressOf(store, conversation_id, sender_device_id)).passOver();
  store.states.save("own", requests);
  store.states.drop(Early, nameOf(named));
}

/**
 * Ask the sender's device for a message; tell it as lost where that was done too often.
 *
 * A new session is begun for it, as long as not too many were.
 */
export async function askAgain(
  store: Store,
  batch: Batch,
  row: Conversation,
  message: Message,
  why: string,
): Promise<void> {
  const { conversation_id } = row;
  const { sender_id, sender_device_id, client_id, kind, seq } = message;
  const requests = await requestsOf(store);
  const said = { conversation_id, sender_id, sender_device_id, client_id, kind };
  const body = requests.ask(said, seq, batch.now);
  store.states.save("own", requests);
  if (body === undefined) {
    await warn(store, message, "messages_lost", "undecryptable", `A message is lost: ${why}`);
    await questionEnded(store, conversation_id, sender_device_id, sender_id);
    return;
  }
  const asked = await knownWriter(store, message);
  if (asked === undefined) return;
  const sessions = await store.sessions(asked.userId, asked.deviceId);
  const fresh = sessions.mayRepair(batch.now);
  store.states.save(asked.deviceId, sessions);
  await queue(store, batch, conversation_id, body, [asked], fresh);
}

/** Whose a message is: by the server's word, or where the account is gone by the sessions with its device. */
export async function writerId(store: Store, { sender_id, sender_device_id }: Message): Promise<string> {
  return sender_id ?? (await store.sessions("", sender_device_id)).userId;
}

/** The device that wrote a message, where its user's list names it. */
async function knownWriter(store: Store, message: Message): Promise<PeerDevice | undefined> {
  const userId = await writerId(store, message);
  const known = (await provisional(store, userId)) ?? (await store.known(userId));
  return devicesOf(known).find((one) => one.deviceId === message.sender_device_id);
}

/** Send a message again to the device that asks, if it was for it; a chain that it has is given again. */
export async function sendAgain(
  store: Store,
  batch: Batch,
  row: Conversation,
  payload: Payload,
  clientId: string,
): Promise<void> {
  const { conversation_id } = row;
  const sent = await store.states.get(SentMessage, clientId);
  if (sent === undefined) return; // too long ago, expired or deleted; the asker will call it lost
  const deviceId = payload.sender_device_id;
  const asker = listedDevice(await store.known(payload.sender_id), deviceId);
  if (asker === undefined) return;
  let again: ReturnType<SentMessage["again"]>;
  try {
    again = sent.again(deviceId, conversation_id);
  } catch (error) {
    if (error instanceof NotResent) return;
    throw error;
  }
  store.states.save(clientId, sent);
  const chain = await store.states.get(SendingChain, conversation_id);
  if (chain?.holders.has(deviceId) === true) {
    await queue(store, batch, conversation_id, chain.distribution(row.next_number), [asker]);
  }
  await queue(store, batch, conversation_id, again, [asker]);
}

/** The message that an answer brings, with its place; `undefined` for one that was answered before. */
export async function takeAgain(
  store: Store,
  payload: Payload,
): Promise<ReturnType<ResendRequests["fulfil"]> | undefined> {
  const requests = await requestsOf(store);
  let found: ReturnType<ResendRequests["fulfil"]>;
  try {
    found = requests.fulfil(payload);
  } catch (error) {
    if (error instanceof NotResent) return undefined; // asked for twice, and both answers came
    throw error;
  }
  store.states.save("own", requests);
  return found;
}

/** Tell of messages that nobody has sent again for a day. `now` in seconds. */
export async function tellUnanswered(store: Store, now: number): Promise<void> {
  const requests = await requestsOf(store);
  const lost = requests.unanswered(now);
  if (lost.length === 0) return;
  store.states.save("own", requests);
  for (const { said, seq } of lost) {
    const { conversation_id, sender_id: user_id, sender_device_id: device_id } = said;
    store.states.drop(Early, nameOf(said));
    const detail = "A message could not be decrypted, and its sender has not sent it again.";
    await warnOf(store, "messages_lost", "unanswered", detail, { conversation_id, user_id, device_id, seq });
    await questionEnded(store, conversation_id, device_id, user_id, true);
  }
}

/** Drop what is remembered for resends beyond its bounds of age and number. `now` in seconds. */
export async function forgetOldSent(store: Store, now: number): Promise<void> {
  const oldest = new Date((now - RESEND_KEPT) * 1_000).toISOString();
  const found: { readonly clientId: string; readonly sentAt: string }[] = [];
  for (const clientId of await store.states.keys(SentMessage)) {
    const sent = await store.states.get(SentMessage, clientId);
    if (sent !== undefined) found.push({ clientId, sentAt: sent.sentAt });
  }
  found.sort((one, other) => (one.sentAt > other.sentAt ? -1 : 1));
  for (const [at, { clientId, sentAt }] of found.entries()) {
    if (at >= RESEND_MESSAGES || sentAt < oldest) store.states.drop(SentMessage, clientId);
  }
}
