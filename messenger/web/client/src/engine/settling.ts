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
import type { Shelf } from "./vault.ts";

/** It is committed: the outbox lets it go, and the message has its place. */
export async function settle(
  shelf: Shelf,
  batch: Batch,
  queued: Queued,
  seq: number,
  createdAt: string,
): Promise<void> {
  const { conversation_id, client_id, number } = queued;
  const row = await shelf.conversations.get(conversation_id);
  if (row === undefined) throw new StoreCorrupt("A message waits for a conversation that is not known.");
  const sender_device_id = await shelf.deviceId();
  const named = { conversation_id, sender_device_id, client_id };
  await shelf.outbox.remove(client_id);
  await shelf.history.keep(queued, batch.now);
  const known = await shelf.places.at(conversation_id, seq);
  if (known !== undefined && (known.sender_device_id !== sender_device_id || known.client_id !== client_id)) {
    const detail = `The server has put a message of yours at place ${String(seq)}, which held another one before.`;
    const about = { conversation_id, user_id: await shelf.userId(), device_id: sender_device_id, seq };
    await warnOf(shelf, "history_rewritten", "replaced", detail, about);
  }
  await shelf.places.put(named, seq, batch.now);
  if (seq === (row.place ?? 0) + 1) await shelf.conversations.set(conversation_id, { place: seq });
  if (number !== null && number > 0) {
    await shelf.conversations.set(conversation_id, { next_number: Math.max(row.next_number, number + 1) });
  }
  if (queued.again > 0) {
    await settledAgain(shelf, queued, seq);
    shelf.settled.push({ clientId: client_id });
    return;
  }
  await done(shelf, batch, queued, seq);
  const message = await shelf.messages.find(named);
  if (message !== undefined && message.state !== "deleted") {
    await shelf.messages.placed(message.id, seq, createdAt);
    await tell(shelf, { event: "message_sent", message: await messageOf(shelf, message.id) });
  }
  shelf.settled.push({ clientId: client_id });
}

/** A message that was changed just now. */
export async function messageOf(shelf: Shelf, id: number): Promise<Message> {
  const found = await shelf.messages.get(id);
  if (found === undefined) throw new StoreCorrupt("A message is gone.");
  return found;
}

/** What a message of devices among themselves has come to, now that it has its place. */
async function done(shelf: Shelf, batch: Batch, queued: Queued, seq: number): Promise<void> {
  const { conversation_id, devices, targets } = queued;
  const body = queued.kind === "control" ? decodeBody(queued.body) : undefined;
  if (body?.type === "roster_change") {
    await settleChange(shelf, batch, queued, body, seq);
  } else if (targets === null || body?.type === "start") {
    await started(shelf, conversation_id, devices);
  } else if (body?.type === "sender_key") {
    const chain = await shelf.states.get(SendingChain, conversation_id);
    if (chain === undefined || !same(chain.chainId, body.chain_id)) return;
    chain.give(devices);
    shelf.states.save(conversation_id, chain);
  } else if (body?.type === "roster") {
    await given(shelf, conversation_id, devices);
  }
}

/**
 * The server will not take it. `stored`: an earlier try may have been taken all the same, so that its number must not
 * be used again.
 */
export async function fail(
  shelf: Shelf,
  queued: Queued,
  reason: string,
  detail: string,
  stored: boolean,
): Promise<void> {
  const { conversation_id, client_id, number } = queued;
  await shelf.outbox.remove(client_id);
  await forgetChange(shelf, queued);
  const row = await shelf.conversations.get(conversation_id);
  if (stored && number !== null && number > 0 && row !== undefined) {
    await shelf.conversations.set(conversation_id, { next_number: Math.max(row.next_number, number + 1) });
  }
  const named = { conversation_id, client_id, sender_device_id: await shelf.deviceId() };
  const message = await shelf.messages.find(named);
  if (message !== undefined) {
    await shelf.messages.setState(message.id, "failed");
    await tell(shelf, { event: "send_failed", message: await messageOf(shelf, message.id), reason, detail });
  }
  shelf.settled.push({ clientId: client_id, code: reason, detail });
}
