/**
 * The server's database has another history: a standby has taken over, which may have been behind.
 *
 * What was acknowledged last may be gone, and other messages may stand at its places. So what this device has seen of
 * the last minutes is in doubt until it shows again; a message that shows again is the one that is here, and is
 * neither opened nor told twice. What this device sent in these minutes goes out again, as the same bytes under the
 * same client_ids.
 *
 * The server says by a word in `hello` that this has happened, and might lie. It gains no more than it could do to a
 * device that had been away for these minutes: what lies further back stands, no key opens anything twice, and each
 * such word is told to the user. What was in doubt and was not disputed within DOUBT_SECONDS stands again.
 *
 * Times are in seconds since 1970.
 */

import { encodeBody } from "../e2e/bodies.ts";
import { SentMessage } from "../e2e/resend.ts";
import type { Conversation } from "../store/conversations.ts";
import type { Queued } from "../store/outbox.ts";
import type { Message } from "../wire/conversations.ts";
import { gone } from "./order.ts";
import { tell } from "./telling.ts";
import type { Store } from "./vault.ts";

const LOST_SECONDS = 600; // what is older is not lost by a failover
const DOUBT_SECONDS = 600;
const EPOCH = "epoch";
const SEEN = "epoch_seen";

/** Where a conversation ends, as the server says. */
export interface End {
  readonly seq: number;
  readonly change: number;
}

/** Whether the server's history is the one that was seen last, or the first that is seen. */
export async function isKnown(store: Store, epoch: string, now: number): Promise<boolean> {
  const known = await store.account.get(EPOCH);
  if (known !== undefined && epoch !== "" && epoch !== known) return false;
  if (epoch !== "") {
    store.account.set(EPOCH, epoch);
    await stillSeen(store, now);
  }
  return true;
}

/** The connection stands: the history is what it was until now. */
export async function stillSeen(store: Store, now: number): Promise<void> {
  store.account.set(SEEN, String(Math.floor(now)));
  await store.history.prune(now - LOST_SECONDS);
  await store.history.endDoubts(now);
}

/** Another history begins, in which conversations end where `ends` says. */
export async function begin(
  store: Store,
  epoch: string,
  ends: ReadonlyMap<string, End>,
  now: number,
): Promise<void> {
  const since = Number((await store.account.get(SEEN)) ?? now) - LOST_SECONDS;
  store.account.set(EPOCH, epoch);
  store.account.set(SEEN, String(Math.floor(now)));
  let doubted = 0;
  for (const row of await store.conversations.all()) {
    const end = ends.get(row.conversation_id);
    if (end !== undefined) doubted += await doubt(store, row, end, since, now);
  }
  const sent_again = await sendAgain(store);
  const detail = "The server says that its database was replaced by a copy, which may lack the last minutes.";
  await tell(store, { event: "history_restarted", doubted, sent_again, detail });
}

/** Forget what may be gone of a conversation; how many places these are. */
async function doubt(store: Store, row: Conversation, end: End, since: number, now: number): Promise<number> {
  const { conversation_id: name, place, change_place } = row;
  const first = await store.history.doubt(name, since, now + DOUBT_SECONDS);
  if (change_place !== null) {
    await store.conversations.set(name, { change_place: Math.min(change_place, end.change) });
  }
  if (first === undefined || place === null) return 0;
  await store.conversations.set(name, {
    doubt_from: first,
    doubt_until: Math.floor(now + DOUBT_SECONDS),
    // Places above the end that a failover does not explain stand, and what comes there is told.
    place: Math.min(place, Math.max(end.seq, first - 1)),
  });
  return (await store.history.doubted(name, place)).length;
}

async function sendAgain(store: Store): Promise<number> {
  let count = 0;
  for (const { client_id, kind } of await store.history.answered()) {
    const sent = await store.states.get(SentMessage, client_id);
    if (sent === undefined && kind !== "control") {
      await store.history.drop(client_id); // it was taken away meanwhile
      continue;
    }
    // What a device has said to one that asked has nothing here that says it again: the bytes do.
    const body = sent?.body();
    const said =
      body === undefined || body.type === null ? ({ type: "resend_request", client_id } as const) : body;
    await store.history.sendAgain(client_id, encodeBody(said));
    count += 1;
  }
  return count;
}

/** Whether a message that shows at a place is one that was taken in before the history changed. */
export async function cameBefore(store: Store, message: Message): Promise<boolean> {
  if (!(await store.history.cameBefore(message))) return false;
  const known = await store.messages.find(message);
  if (known !== undefined) await store.messages.moved(known.id, message.seq);
  if (message.deleted) await gone(store, message.conversation_id, message.seq);
  return true;
}

/** An own message that went out again has its place, perhaps the one that it had. */
export async function settledAgain(store: Store, queued: Queued, seq: number): Promise<void> {
  const { conversation_id, client_id } = queued;
  const named = { conversation_id, client_id, sender_device_id: await store.deviceId() };
  await store.history.cameBefore(named);
  const message = await store.messages.find(named);
  if (message !== undefined) await store.messages.moved(message.id, seq);
}
