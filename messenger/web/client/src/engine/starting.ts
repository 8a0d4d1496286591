/**
 * Which devices know from where on this device counts its messages in a direct conversation.
 *
 * A device that is new there, or that came back under another account key, is told before the next message (`start`),
 * so that it can tell what is held back.
 */

import { Started } from "../store/waiting.ts";
import { hex } from "../wire/bytes.ts";
import type { Store } from "./vault.ts";

/** Those of these devices that have not heard where this device's numbers stand. */
export async function notStarted(
  store: Store,
  conversationId: string,
  devices: Iterable<string>,
): Promise<string[]> {
  const known = await store.states.get(Started, conversationId);
  const found: string[] = [];
  for (const one of devices) if (known?.has(await entryOf(store, one)) !== true) found.push(one);
  return found;
}

/** These devices know it. */
export async function started(
  store: Store,
  conversationId: string,
  devices: Iterable<string>,
): Promise<void> {
  const fresh = await notStarted(store, conversationId, devices);
  if (fresh.length === 0) return;
  const known = (await store.states.get(Started, conversationId)) ?? new Started();
  const entries: string[] = [];
  for (const one of fresh) entries.push(await entryOf(store, one));
  known.add(entries);
  store.states.save(conversationId, known);
}

async function entryOf(store: Store, deviceId: string): Promise<string> {
  const { userId } = await store.sessions("", deviceId);
  const key = (await store.known(userId)).accountKey;
  return `${deviceId}/${key === null ? "" : hex(key.subarray(0, 4))}`;
}
