/**
 * Who may read in a conversation: decided here, from what is pinned and signed.
 *
 * The server's list of a conversation's devices only makes the audience smaller. A device that it lists and that is
 * not in the audience is never encrypted to; it is told once.
 *
 * - direct: oneself and the peer;
 * - the own conversation: oneself;
 * - group: the users of its roster, each under the account key that the roster names.
 */

import { NotInAudience } from "../e2e/errors.ts";
import type { PeerDevice } from "../e2e/sessions.ts";
import type { Conversation } from "../store/conversations.ts";
import { devicesOf } from "./queueing.ts";
import { changeAwaited, readers, rostersOf } from "./rosters.ts";
import { warnOf } from "./telling.ts";
import type { Store } from "./vault.ts";

/**
 * The users of a conversation, and of their devices those that the server lists, too, by device_id.
 *
 * `strangers` are the devices that only the server lists, with the users that it names for them. `behind` are users
 * whose newest list the server holds back: none of their devices is among `devices`.
 */
export interface Audience {
  readonly users: ReadonlySet<string>;
  readonly devices: ReadonlyMap<string, PeerDevice>;
  readonly strangers: ReadonlyMap<string, string>;
  readonly behind: ReadonlySet<string>;
}

/** The users who may read in a conversation, oneself included. */
export async function usersOf(store: Store, row: Conversation): Promise<Set<string>> {
  const own = await store.userId();
  if (row.type === "self") return new Set([own]);
  if (row.type === "direct") return new Set(row.peer_id === null ? [own] : [own, row.peer_id]);
  return new Set([...(await readers(store, row.conversation_id)), own]);
}

/** The audience among the devices that the server lists (with their users, as it says). */
export async function audienceOf(
  store: Store,
  row: Conversation,
  listed: ReadonlyMap<string, string>,
): Promise<Audience> {
  const users = await usersOf(store, row);
  const behind = new Set<string>();
  const known = new Map<string, PeerDevice>();
  for (const userId of users) {
    const user = await store.known(userId);
    if (user.behind) behind.add(userId);
    for (const device of devicesOf(user)) known.set(device.deviceId, device);
  }
  const devices = new Map<string, PeerDevice>();
  const strangers = new Map<string, string>();
  for (const [deviceId, userId] of listed) {
    if (behind.has(userId)) continue;
    const device = known.get(deviceId);
    if (device?.userId === userId) devices.set(deviceId, device);
    else strangers.set(deviceId, userId);
  }
  return { users, devices, strangers, behind };
}

/** NotInAudience where somebody writes in a conversation who is not in it. */
export async function checkWriter(store: Store, row: Conversation, userId: string): Promise<void> {
  if (row.type === "group" || (await usersOf(store, row)).has(userId)) return;
  throw new NotInAudience("Somebody who is not in this conversation writes in it.");
}

/**
 * Tell of the devices that only the server lists, each once; not of who was in the group before (the roster changes
 * first, and the server when it is asked), nor while the change that adds them may be asked for again.
 */
export async function tellStrangers(store: Store, row: Conversation, found: Audience): Promise<void> {
  if (found.strangers.size === 0) return;
  const { conversation_id } = row;
  const known = await rostersOf(store, conversation_id);
  const awaited = row.type === "group" && (await changeAwaited(store, conversation_id));
  for (const [device_id, user_id] of found.strangers) {
    const isMember = found.users.has(user_id);
    if (known.had(user_id) || (awaited && !isMember)) continue;
    const told = `stranger/${conversation_id}/${device_id}`;
    if ((await store.account.get(told)) !== undefined) continue;
    store.account.set(told, user_id);
    const what = isMember ? "a device of theirs" : "somebody who is not in this conversation";
    const reason = isMember ? "unlisted_device" : "not_in_audience";
    const detail = `The server lists ${what} that nobody vouches for; nothing is sent there.`;
    await warnOf(store, "audience_refused", reason, detail, { conversation_id, user_id, device_id });
  }
}
