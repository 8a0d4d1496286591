/**
 * Which devices know from where on this device counts its messages in a direct conversation.
 *
 * A device that is new there, or that came back under another account key, is told before the next message (`start`),
 * so that it can tell what is held back.
 */

import { Started } from "../store/waiting.ts";
import { hex } from "../wire/bytes.ts";
import type { Shelf } from "./vault.ts";

/** Those of these devices that have not heard where this device's numbers stand. */
export async function notStarted(
  shelf: Shelf,
  conversationId: string,
  devices: Iterable<string>,
): Promise<string[]> {
  const known = await shelf.states.get(Started, conversationId);
  const found: string[] = [];
  for (const one of devices) if (known?.has(await entryOf(shelf, one)) !== true) found.push(one);
  return found;
}

/** These devices know it. */
export async function started(
  shelf: Shelf,
  conversationId: string,
  devices: Iterable<string>,
): Promise<void> {
  const fresh = await notStarted(shelf, conversationId, devices);
  if (fresh.length === 0) return;
  const known = (await shelf.states.get(Started, conversationId)) ?? new Started();
  const entries: string[] = [];
  for (const one of fresh) entries.push(await entryOf(shelf, one));
  known.add(entries);
  shelf.states.save(conversationId, known);
}

async function entryOf(shelf: Shelf, deviceId: string): Promise<string> {
  const { userId } = await shelf.sessions("", deviceId);
  const key = (await shelf.known(userId)).accountKey;
  return `${deviceId}/${key === null ? "" : hex(key.subarray(0, 4))}`;
}
