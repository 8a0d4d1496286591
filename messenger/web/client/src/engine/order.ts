/** Is anything missing, moved or replaced? Places by the server's numbers, messages by their senders' own. */

import type { Payload, Seen } from "../e2e/payload.ts";
import { Progress } from "../e2e/progress.ts";
import { ResendRequests } from "../e2e/resend.ts";
import { MOST, type Place as SeenPlace, differs, seenOf } from "../e2e/seen.ts";
import type { Conversation } from "../store/conversations.ts";
import { PLACES_KEPT } from "../store/places.ts";
import type { Message } from "../wire/conversations.ts";
import { tell, warn, warnOf } from "./telling.ts";
import type { Store } from "./vault.ts";

/** Write down who wrote at a place, and tell of holes; false where the place was known before. `now` in seconds. */
export async function takePlace(
  store: Store,
  row: Conversation,
  message: Message,
  now: number,
): Promise<boolean> {
  const { conversation_id, seq } = message;
  const known = await store.places.at(conversation_id, seq);
  if (known !== undefined) {
    const { sender_device_id, client_id } = known;
    if (sender_device_id !== message.sender_device_id || client_id !== message.client_id) {
      const detail = `The server has put another message at place ${String(seq)} than it held before.`;
      await warn(store, message, "history_rewritten", "replaced", detail);
    } else if (message.deleted) {
      await gone(store, conversation_id, seq);
    }
    return false;
  }
  const place = row.place ?? seq - 1;
  if (seq <= place && !isInDoubt(row, seq, now)) {
    if (seq <= place - PLACES_KEPT) return false; // that far back nothing is remembered
    const detail = `Place ${String(seq)} comes after place ${String(place)}.`;
    await warn(store, message, "messages_reordered", "place_came_late", detail);
  } else if (seq > place + 1) {
    await tellHoles(store, conversation_id, place, seq);
  }
  await store.places.put(message, seq, now);
  await store.conversations.set(conversation_id, { place: Math.max(place, seq) });
  return true;
}

/** Whether the history has changed a short while ago, from this place or an earlier one on. */
function isInDoubt({ doubt_from, doubt_until }: Conversation, seq: number, now: number): boolean {
  return doubt_from !== null && doubt_until !== null && seq >= doubt_from && now < doubt_until;
}

async function tellHoles(store: Store, conversationId: string, place: number, seq: number): Promise<void> {
  const holes = await store.places.holes(conversationId, place, seq);
  const [first] = holes;
  if (first === undefined) return;
  const count = holes.length;
  const detail = `The server does not give out ${String(count)} places from ${String(first)} on.`;
  const about = { conversation_id: conversationId, seq: first };
  await warnOf(store, "messages_missing", "places_missing", detail, about, count);
}

/** The server says that a message was deleted or has expired: that is told, and removes nothing here. */
export async function gone(store: Store, conversationId: string, seq: number): Promise<void> {
  const message = await store.messages.at(conversationId, seq);
  if (message !== undefined && (message.state === "deleted" || message.gone)) return;
  if (message !== undefined) await store.messages.setGone(message.id);
  await tell(store, {
    event: "gone_from_server",
    conversation_id: conversationId,
    message_id: message?.id ?? null,
    seq,
  });
}

// the sender's own numbers

/** How far a device has come in a conversation; to be changed, and stored with the transaction. */
export async function progressOf(store: Store, conversationId: string, deviceId: string): Promise<Progress> {
  const name = `${conversationId}/${deviceId}`;
  const found = (await store.states.get(Progress, name)) ?? Progress.none();
  store.states.save(name, found);
  return found;
}

/** This user is in a group no more: if it comes back, each sender names its next number with a chain. */
export async function goAway(store: Store, conversationId: string): Promise<void> {
  for (const name of await store.states.keys(Progress)) {
    if (!name.startsWith(`${conversationId}/`)) continue;
    const progress = await store.states.get(Progress, name);
    if (progress === undefined) continue;
    progress.goAway();
    store.states.save(name, progress);
  }
}

/** Whether a message of this device is asked for again. */
async function asksDevice(store: Store, conversationId: string, deviceId: string): Promise<boolean> {
  const requests = await store.states.get(ResendRequests, "own");
  return requests?.openTo(conversationId, deviceId) === true;
}

/**
 * Compare the sender's own number with what came before. ReplayedMessage. `again`: it was asked for, so that it comes
 * late of course.
 */
export async function seeNumber(
  store: Store,
  message: Message,
  number: number,
  again = false,
): Promise<void> {
  const { conversation_id, sender_device_id } = message;
  const waiting = await asksDevice(store, conversation_id, sender_device_id);
  const verdict = (await progressOf(store, conversation_id, sender_device_id)).see(number, waiting);
  if (verdict.is === "gap" && verdict.untold > 0) {
    const [first, last] = verdict.missing;
    const detail = `The sender's messages ${String(first)} to ${String(last)} were held back.`;
    await warn(store, message, "messages_missing", "held_back", detail, verdict.untold);
  } else if (verdict.is === "late" && !again) {
    const detail = `The sender's message ${String(number)} comes after later ones.`;
    await warn(store, message, "messages_reordered", "reordered", detail);
  }
}

/**
 * Where no message of a device is asked for any more, tell what is still missing of it. `late`: after a day without
 * an answer also while others are asked for, or the server could keep questions open.
 */
export async function questionEnded(
  store: Store,
  conversationId: string,
  deviceId: string,
  userId: string | null,
  late = false,
): Promise<void> {
  if (!late && (await asksDevice(store, conversationId, deviceId))) return;
  const about = { conversation_id: conversationId, user_id: userId, device_id: deviceId };
  for (const [first, last] of (await progressOf(store, conversationId, deviceId)).questionEnded()) {
    const detail = `The sender's messages ${String(first)} to ${String(last)} were held back.`;
    await warnOf(store, "messages_missing", "held_back", detail, about, last - first + 1);
  }
}

// what others were shown

async function placesOf(
  store: Store,
  conversationId: string,
  first: number,
  last: number,
): Promise<SeenPlace[]> {
  const found = await store.places.between(conversationId, first, last);
  return found.map((one) => [one.seq, one.sender_device_id, one.client_id]);
}

/** What this device holds at the last places of a conversation. */
export async function seen(store: Store, row: Conversation): Promise<Seen | undefined> {
  const { conversation_id, place } = row;
  if (place === null) return undefined;
  return seenOf(conversation_id, await placesOf(store, conversation_id, place - MOST + 1, place));
}

/**
 * Whether this was written before its sender knew that the history had changed, of places since then: a message that
 * goes out again says what it said.
 */
async function isOfALostHistory(store: Store, payload: Payload, said: Seen): Promise<boolean> {
  const row = await store.conversations.get(payload.conversation_id);
  const from = row?.doubt_from ?? null;
  const until = row?.doubt_until ?? null;
  if (from === null || until === null || said.seq < from) return false;
  return payload.sent_at < new Date(until * 1_000).toISOString();
}

/** Compare what a sender holds with what is here; another history is told, once until they agree again. */
export async function compareSeen(store: Store, message: Message, payload: Payload): Promise<void> {
  const said = payload.seen;
  if (said === undefined || (await isOfALostHistory(store, payload, said))) return;
  const { conversation_id, sender_device_id } = payload;
  const isRun = said.from <= said.seq && said.seq < said.from + MOST;
  const places = isRun ? await placesOf(store, conversation_id, said.from, said.seq) : [];
  const told = `differs/${conversation_id}/${sender_device_id}`;
  const wasTold = (await store.account.get(told)) !== undefined;
  if (!differs(said, conversation_id, message.seq, places)) {
    if (places.length > 0 && wasTold) store.account.set(told, null);
    return;
  }
  if (wasTold) return;
  store.account.set(told, "told");
  const detail = `The sender was shown another history up to place ${String(said.seq)} than this device.`;
  await warn(store, message, "history_differs", "another_history", detail);
}
