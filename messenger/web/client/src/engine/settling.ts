/** An own message has got its place at the server, or will never get one. */

import { decodeBody } from "../e2e/bodies.ts";
import { SendingChain } from "../e2e/groups.ts";
import { same } from "../e2e/primitives.ts";
import { StoreCorrupt } from "../store/errors.ts";
import type { Message } from "../store/messages.ts";
import type { Queued } from "../store/outbox.ts";
import type { Batch } from "./batch.ts";
import { settledAgain } from "./history.ts";
import { forgetChange, settleChange } from "./membership.ts";
import { given } from "./rosters.ts";
import { started } from "./starting.ts";
import { tell, warnOf } from "./telling.ts";
import type { Store } from "./vault.ts";

/** It is committed: the outbox lets it go, and the message has its place. */
export async function settle(
  store: Store,
  batch: Batch,
  queued: Queued,
  seq: number,
  createdAt: string,
): Promise<void> {
  const { conversation_id, client_id, number } = queued;
  const row = await store.conversations.get(conversation_id);
  if (row === undefined) throw new StoreCorrupt("A message waits for a conversation that is not known.");
  const sender_device_id = await store.deviceId();
  const named = { conversation_id, sender_device_id, client_id };
  await store.outbox.remove(client_id);
  await store.history.keep(queued, batch.now);
  const known = await store.places.at(conversation_id, seq);
  if (known !== undefined && (known.sender_device_id !== sender_device_id || known.client_id !== client_id)) {
    const detail = `The server has put a message of yours at place ${String(seq)}, which held another one before.`;
    const about = { conversation_id, user_id: await store.userId(), device_id: sender_device_id, seq };
    await warnOf(store, "history_rewritten", "replaced", detail, about);
  }
  await store.places.put(named, seq, batch.now);
  if (seq === (row.place ?? 0) + 1) await store.conversations.set(conversation_id, { place: seq });
  if (number !== null && number > 0) {
    await store.conversations.set(conversation_id, { next_number: Math.max(row.next_number, number + 1) });
  }
  if (queued.again > 0) {
    await settledAgain(store, queued, seq);
    store.settled.push({ clientId: client_id });
    return;
  }
  await done(store, batch, queued, seq);
  const message = await store.messages.find(named);
  if (message !== undefined && message.state !== "deleted") {
    await store.messages.placed(message.id, seq, createdAt);
    await tell(store, { event: "message_sent", message: await messageOf(store, message.id) });
  }
  store.settled.push({ clientId: client_id });
}

/** A message that was changed just now. */
export async function messageOf(store: Store, id: number): Promise<Message> {
  const found = await store.messages.get(id);
  if (found === undefined) throw new StoreCorrupt("A message is gone.");
  return found;
}

/** What a message of devices among themselves has come to, now that it has its place. */
async function done(store: Store, batch: Batch, queued: Queued, seq: number): Promise<void> {
  const { conversation_id, devices, targets } = queued;
  const body = queued.kind === "control" ? decodeBody(queued.body) : undefined;
  if (body?.type === "roster_change") {
    await settleChange(store, batch, queued, body, seq);
  } else if (targets === null || body?.type === "start") {
    await started(store, conversation_id, devices);
  } else if (body?.type === "sender_key") {
    const chain = await store.states.get(SendingChain, conversation_id);
    if (chain === undefined || !same(chain.chainId, body.chain_id)) return;
    chain.give(devices);
    store.states.save(conversation_id, chain);
  } else if (body?.type === "roster") {
    await given(store, conversation_id, devices);
  }
}

/**
 * The server will not take it. `stored`: an earlier try may have been taken all the same, so that its number must not
 * be used again.
 */
export async function fail(
  store: Store,
  queued: Queued,
  reason: string,
  detail: string,
  stored: boolean,
): Promise<void> {
  const { conversation_id, client_id, number } = queued;
  await store.outbox.remove(client_id);
  await forgetChange(store, queued);
  const row = await store.conversations.get(conversation_id);
  if (stored && number !== null && number > 0 && row !== undefined) {
    await store.conversations.set(conversation_id, { next_number: Math.max(row.next_number, number + 1) });
  }
  const named = { conversation_id, client_id, sender_device_id: await store.deviceId() };
  const message = await store.messages.find(named);
  if (message !== undefined) {
    await store.messages.setState(message.id, "failed");
    await tell(store, { event: "send_failed", message: await messageOf(store, message.id), reason, detail });
  }
  store.settled.push({ clientId: client_id, code: reason, detail });
}
