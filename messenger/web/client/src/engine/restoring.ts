/**
 * The server has messages of this device that it does not know: its profile was restored from an older copy, or the
 * server lies.
 *
 * Keys that were used since would be used again. So sessions and chains begin anew before anything is written, and
 * the device's numbers go on behind those that others have seen.
 */

import { SendingChain } from "../e2e/groups.ts";
import { PeerSessions } from "../e2e/sessions.ts";
import type { Conversation } from "../store/conversations.ts";
import type { Message } from "../wire/conversations.ts";
import type { Batch } from "./batch.ts";
import { settle } from "./settling.ts";
import { warn } from "./telling.ts";
import type { Store } from "./vault.ts";

const RENEW_EVERY = 3_600; // seconds; the server could have sessions begun anew without end
// Seconds in which what comes further on may have begun sessions in which this device has written, too.
const CATCHING_UP = 60;
const RENEWED = "sessions_renewed";

/** A message of this very device: the answer to one that waits for its place, or one that is not known. */
export async function takeOwn(
  store: Store,
  batch: Batch,
  row: Conversation,
  message: Message,
): Promise<void> {
  const { conversation_id, next_number } = row;
  const queued = await store.outbox.get(message.client_id);
  if (queued?.conversation_id === conversation_id && queued.attempts > 0) {
    await settle(store, batch, queued, message.seq, message.created_at);
    return;
  }
  await store.conversations.set(conversation_id, { next_number: next_number + 1 });
  const renewed = await store.account.get(RENEWED);
  const since = renewed === undefined ? RENEW_EVERY : Math.abs(batch.now - Number(renewed));
  if (CATCHING_UP <= since && since < RENEW_EVERY) return;
  if (since >= RENEW_EVERY) store.account.set(RENEWED, String(batch.now));
  for (const deviceId of await store.states.keys(PeerSessions)) {
    const sessions = await store.states.get(PeerSessions, deviceId);
    if (sessions === undefined) continue;
    sessions.renew();
    store.states.save(deviceId, sessions);
  }
  for (const one of await store.states.keys(SendingChain)) store.states.drop(SendingChain, one);
  if (since < CATCHING_UP) return;
  const detail = "The server has messages of this device that it does not know: was the profile restored?";
  await warn(store, message, "profile_restored", "own_message_unknown", detail);
}
