/**
 * Control messages on their way into the outbox, and whom each is for.
 *
 * A target is a user, a device and its identity key, from the moment of queueing: whom the server names for a device
 * later changes nothing.
 */

import { type Known, encodeBody } from "../e2e/bodies.ts";
import type { PeerDevice } from "../e2e/sessions.ts";
import type { KnownUser } from "../e2e/trust.ts";
import type { Target } from "../store/outbox.ts";
import type { Batch } from "./batch.ts";
import type { Store } from "./vault.ts";

/** A known device as a target. */
export function targetOf({ userId, deviceId, identityKey }: PeerDevice): Target {
  return { user_id: userId, device_id: deviceId, identity_key: identityKey };
}

/** The devices of a user that may be encrypted to. */
export function devicesOf(known: KnownUser): PeerDevice[] {
  return known
    .currentDevices()
    .map(({ deviceId, identityKey }) => ({ userId: known.userId, deviceId, identityKey }));
}

/** A device that a user's kept list names. */
export function listedDevice(known: KnownUser, deviceId: string): PeerDevice | undefined {
  const found = known.listed(deviceId);
  return found && { userId: known.userId, deviceId, identityKey: found.identityKey };
}

/**
 * Have a control message sent; its client_id.
 *
 * `targets` are some devices of the conversation, or all of its audience where none is named, in envelopes that bear
 * no number; without `targets` it is a message to everybody like any other. `fresh` asks for a new session first.
 */
export async function queue(
  store: Store,
  batch: Batch,
  conversationId: string,
  body: Known,
  targets?: readonly (PeerDevice | Target)[],
  fresh = false,
): Promise<string> {
  const client_id = crypto.randomUUID();
  await store.outbox.add({
    client_id,
    conversation_id: conversationId,
    kind: "control",
    body: encodeBody(body),
    sent_at: batch.moment,
    targets: targets?.map((one) => ("deviceId" in one ? targetOf(one) : one)) ?? null,
    fresh,
  });
  batch.wake.add(conversationId);
  return client_id;
}
