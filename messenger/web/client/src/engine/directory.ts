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
import type { Store } from "./vault.ts";

const MOST_WAITING = 10; // as many as a user has devices; a hostile server may name any number

/** Take in a user's account key and devices. For oneself only the own account key vouches. `now` in seconds. */
export async function learn(
  store: Store,
  userId: string,
  said: Identities,
  policy: Policy,
  now: number,
): Promise<void> {
  const known = await store.known(userId);
  const own = userId === (await store.userId());
  if (own && known.accountKey === null) return; // not approved yet: nothing to judge by
  const first = known.deviceIds.length === 0;
  const found = known.learn(said, own ? "refuse" : policy);
  known.stampRemoved(now);
  store.states.save(userId, known);
  for (const event of found) await tellTrust(store, event, first);
  if (own) await tellWaiting(store, said);
}

/** Tell of own devices that ask to be approved, each once for as long as it waits. */
async function tellWaiting(store: Store, said: Identities): Promise<void> {
  const own = await store.deviceId();
  const pending = (said.pending ?? []).map((one) => one.device_id).filter((one) => one !== own);
  const waiting = pending.slice(0, MOST_WAITING);
  const told = ((await store.account.get("waiting")) ?? "").split(" ");
  await store.warnings.settleAll("device_waiting", (one) => !waiting.includes(one.device_id ?? ""));
  for (const device_id of waiting) {
    if (!told.includes(device_id)) await tell(store, { event: "device_waiting", device_id });
  }
  if (waiting.join(" ") !== told.join(" ")) store.account.set("waiting", waiting.join(" "));
}

/** Pin a user's name as the server says it; false, and told, where it goes against what is pinned. */
export async function nameUser(store: Store, userId: string, username: string): Promise<boolean> {
  const known = await store.people.named(userId);
  if (known === username) return true;
  if (known === undefined && (await store.people.userNamed(username)) === undefined) {
    store.people.put(userId, username);
    return true;
  }
  const told = `contact/${userId}/${username}`;
  if ((await store.account.get(told)) !== undefined) return false;
  store.account.set(told, "told");
  await tell(store, {
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
export async function beginSessions(store: Store, bundles: readonly Bundle[], now: number): Promise<void> {
  const keys = await store.keys();
  for (const bundle of bundles) {
    const { user_id, device_id } = bundle;
    const known = await store.known(user_id);
    const sessions = await store.sessions(user_id, device_id);
    try {
      known.checkBundle(bundle);
      sessions.start(keys, bundle, now);
    } catch (error) {
      throw error instanceof EncryptionError ? new Refusal(user_id, device_id, error) : error;
    }
    store.states.save(device_id, sessions);
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
export async function tellRefusal(store: Store, refusal: Refusal): Promise<void> {
  const about = { user_id: refusal.userId, device_id: refusal.deviceId };
  await warnOf(store, "keys_refused", refusal.code, refusal.message, about);
}

/** Write an event. `quiet`: the user was not known before, so that its devices are no news. */
async function tellTrust(store: Store, event: TrustEvent, quiet: boolean): Promise<void> {
  const { userId: user_id } = event;
  const username = await store.people.name(user_id);
  switch (event.event) {
    case "AccountKeyPinned":
      break;
    case "AccountKeyHasChanged": {
      const { wasVerified: was_verified, accepted } = event;
      await tell(store, { event: "identity_changed", user_id, username, was_verified, accepted });
      await tellUnconfirmed(store, user_id, event.old);
      break;
    }
    case "DeviceRefused": {
      const [reason, device_id] = [reasonOf(event.error), event.deviceId];
      // The server may list the device for as long as it likes: this very refusal is told once.
      if (!(await isNews(store, `refused/${device_id}`, reason))) break;
      await warnOf(store, "device_refused", reason, event.error.message, { user_id, device_id });
      break;
    }
    case "ListRefused": {
      const [reason, detail] = [reasonOf(event.error), event.error.message];
      if (!(await isNews(store, `list/${user_id}`, `${reason}: ${detail}`))) break;
      await warnOf(store, "keys_refused", reason, detail, { user_id });
      break;
    }
    case "DeviceAdded":
    case "DeviceRemoved": {
      if (quiet) break;
      const change = event.event === "DeviceAdded" ? "added" : "removed";
      await tell(store, {
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
async function isNews(store: Store, name: string, what: string): Promise<boolean> {
  if ((await store.account.get(name)) === what) return false;
  store.account.set(name, what);
  return true;
}

/** In each group whose roster names the old account key the user gets nothing until that is confirmed. */
async function tellUnconfirmed(store: Store, userId: string, old: Uint8Array): Promise<void> {
  for (const conversationId of await store.conversations.withMember(userId)) {
    const entry = (await currentRoster(store, conversationId))?.member(userId);
    if (entry !== undefined && same(entry.account_key, old)) {
      await tellMember(store, conversationId, entry, "unconfirmed", null);
    }
  }
}
