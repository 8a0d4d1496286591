/**
 * The directory of contacts: who has which name, account key and devices, as far as it holds.
 *
 * A contact is pinned as a whole at first use: another user for a known name, another name for a known user and two
 * users with one name are refused and told, and never written over what is pinned.
 */

import { EncryptionError } from "../e2e/errors.ts";
import { same } from "../e2e/primitives.ts";
import type { Policy, TrustEvent } from "../e2e/trust.ts";
import type { Bundle, Identities } from "../wire/keys.ts";
import { IdentityRefused } from "./errors.ts";
import { reasonOf } from "./naming.ts";
import { currentRoster } from "./rosters.ts";
import { tell, tellMember, warnOf } from "./telling.ts";
import type { Shelf } from "./vault.ts";

const MOST_WAITING = 10; // as many as a user has devices; a hostile server may name any number

/** Take in a user's account key and devices. For oneself only the own account key vouches. `now` in seconds. */
export async function learn(
  shelf: Shelf,
  userId: string,
  said: Identities,
  policy: Policy,
  now: number,
): Promise<void> {
  const known = await shelf.known(userId);
  const own = userId === (await shelf.userId());
  if (own && known.accountKey === null) return; // not approved yet: nothing to judge by
  const first = known.deviceIds.length === 0;
  const found = known.learn(said, own ? "refuse" : policy);
  known.stampRemoved(now);
  shelf.states.save(userId, known);
  for (const event of found) await tellTrust(shelf, event, first);
  if (own) await tellWaiting(shelf, said);
}

/** Tell of own devices that ask to be approved, each once for as long as it waits. */
async function tellWaiting(shelf: Shelf, said: Identities): Promise<void> {
  const own = await shelf.deviceId();
  const pending = (said.pending ?? []).map((one) => one.device_id).filter((one) => one !== own);
  const waiting = pending.slice(0, MOST_WAITING);
  const told = ((await shelf.account.get("waiting")) ?? "").split(" ");
  await shelf.warnings.settleAll("device_waiting", (one) => !waiting.includes(one.device_id ?? ""));
  for (const device_id of waiting) {
    if (!told.includes(device_id)) await tell(shelf, { event: "device_waiting", device_id });
  }
  if (waiting.join(" ") !== told.join(" ")) shelf.account.set("waiting", waiting.join(" "));
}

/** Pin a user's name as the server says it; false, and told, where it goes against what is pinned. */
export async function nameUser(shelf: Shelf, userId: string, username: string): Promise<boolean> {
  const known = await shelf.people.named(userId);
  if (known === username) return true;
  if (known === undefined && (await shelf.people.userNamed(username)) === undefined) {
    shelf.people.put(userId, username);
    return true;
  }
  const told = `contact/${userId}/${username}`;
  if ((await shelf.account.get(told)) !== undefined) return false;
  shelf.account.set(told, "told");
  await tell(shelf, {
    event: "contact_refused",
    conversation_id: null,
    user_id: userId,
    username: known ?? username,
    device_id: null,
    seq: null,
    reason: known === undefined ? "another_user" : "renamed",
    detail:
      known === undefined
        ? `The server gives the name ${username} to another user than before. It is not believed.`
        : `The server calls ${known} ${username} now. ${known} stays, and ${username} is not believed.`,
  });
  return false;
}

/** Begin a session by each bundle. Refusal where one does not hold. `now` in seconds. */
export async function beginSessions(shelf: Shelf, bundles: readonly Bundle[], now: number): Promise<void> {
  const keys = await shelf.keys();
  for (const bundle of bundles) {
    const { user_id, device_id } = bundle;
    const known = await shelf.known(user_id);
    const sessions = await shelf.sessions(user_id, device_id);
    try {
      known.checkBundle(bundle);
      sessions.start(keys, bundle, now);
    } catch (error) {
      throw error instanceof EncryptionError ? new Refusal(user_id, device_id, error) : error;
    }
    shelf.states.save(device_id, sessions);
  }
}

/** A bundle or device that does not hold. */
export class Refusal extends IdentityRefused {
  readonly userId: string;
  readonly deviceId: string;

  constructor(userId: string, deviceId: string, error: EncryptionError) {
    super(error.message, reasonOf(error));
    this.userId = userId;
    this.deviceId = deviceId;
  }
}

/** Have the page know that keys of the server's do not hold. */
export async function tellRefusal(shelf: Shelf, refusal: Refusal): Promise<void> {
  const about = { user_id: refusal.userId, device_id: refusal.deviceId };
  await warnOf(shelf, "keys_refused", refusal.code, refusal.message, about);
}

/** Write an event. `quiet`: the user was not known before, so that its devices are no news. */
async function tellTrust(shelf: Shelf, event: TrustEvent, quiet: boolean): Promise<void> {
  const { userId: user_id } = event;
  const username = await shelf.people.name(user_id);
  switch (event.event) {
    case "AccountKeyPinned":
      break;
    case "AccountKeyHasChanged": {
      const { wasVerified: was_verified, accepted } = event;
      await tell(shelf, { event: "identity_changed", user_id, username, was_verified, accepted });
      await tellUnconfirmed(shelf, user_id, event.old);
      break;
    }
    case "DeviceRefused": {
      const [reason, device_id] = [reasonOf(event.error), event.deviceId];
      // The server may list the device for as long as it likes: this very refusal is told once.
      if (!(await isNews(shelf, `refused/${device_id}`, reason))) break;
      await warnOf(shelf, "device_refused", reason, event.error.message, { user_id, device_id });
      break;
    }
    case "ListRefused": {
      const [reason, detail] = [reasonOf(event.error), event.error.message];
      if (!(await isNews(shelf, `list/${user_id}`, `${reason}: ${detail}`))) break;
      await warnOf(shelf, "keys_refused", reason, detail, { user_id });
      break;
    }
    case "DeviceAdded":
    case "DeviceRemoved": {
      if (quiet) break;
      const change = event.event === "DeviceAdded" ? "added" : "removed";
      await tell(shelf, {
        event: "device_list_changed",
        user_id,
        username,
        device_id: event.deviceId,
        change,
      });
      break;
    }
  }
}

/** Whether something else was told under this name the last time, or nothing. */
async function isNews(shelf: Shelf, name: string, what: string): Promise<boolean> {
  if ((await shelf.account.get(name)) === what) return false;
  shelf.account.set(name, what);
  return true;
}

/** In each group whose roster names the old account key the user gets nothing until that is confirmed. */
async function tellUnconfirmed(shelf: Shelf, userId: string, old: Uint8Array): Promise<void> {
  for (const conversationId of await shelf.conversations.withMember(userId)) {
    const entry = (await currentRoster(shelf, conversationId))?.member(userId);
    if (entry !== undefined && same(entry.account_key, old)) {
      await tellMember(shelf, conversationId, entry, "unconfirmed", null);
    }
  }
}
