/** How this device comes to be trusted, and vouches for the next: the account key, device codes and grants. */

import { AccountKey } from "../e2e/account.ts";
import type { AccountGrant } from "../e2e/bodies.ts";
import type { Payload } from "../e2e/payload.ts";
import { DeviceKeys } from "../e2e/prekeys.ts";
import { Progress } from "../e2e/progress.ts";
import { DeviceCode, acceptGrant } from "../e2e/provisioning.ts";
import { KnownUser } from "../e2e/trust.ts";
import type { DeviceList } from "../wire/keys.ts";
import type { Batch } from "./batch.ts";
import { tell } from "./telling.ts";
import type { Store } from "./vault.ts";

/** Whether this device has its user's account key. */
export async function approved(store: Store): Promise<boolean> {
  return (await store.states.get(AccountKey, "own")) !== undefined;
}

/**
 * Whether this device can tell which devices are its user's: it has the account key, and the server names no other
 * one, which another device of the user's may have made.
 */
export async function judgesOwn(store: Store): Promise<boolean> {
  return (await approved(store)) && !(await store.known(await store.userId())).refused;
}

/** Go on under this account key. */
export async function adopt(store: Store, account: AccountKey): Promise<void> {
  const own = await store.userId();
  store.states.save("own", account);
  const known = await store.known(own);
  known.pin(account.public);
  store.states.save(own, known);
}

/** The keys of a new device; with `first` also the account key, else the code that asks for it. `now` in seconds. */
export async function makeKeys(store: Store, first: boolean, now: number): Promise<void> {
  const keys = DeviceKeys.create(await store.userId(), await store.deviceId(), now);
  store.states.save("own", keys);
  if (first) await adopt(store, AccountKey.create());
  else store.states.save("own", DeviceCode.create(keys, now));
}

/** The account key that this device asked for by its code. GrantRefused, CodeExpired. */
export async function takeGrant(
  store: Store,
  batch: Batch,
  payload: Payload,
  body: AccountGrant,
): Promise<void> {
  const code = await store.states.get(DeviceCode, "own");
  if (code === undefined || payload.sender_id !== (await store.userId())) return; // this device asks for nothing
  await adopt(store, acceptGrant(code, await store.keys(), body, batch.now));
  store.states.drop(DeviceCode, "own");
  // Others tell this device anew where their numbers stand.
  for (const name of await store.states.keys(Progress)) store.states.drop(Progress, name);
  await tell(store, { event: "device_approved" });
  batch.approved = true;
}

/**
 * The own device list with a version above the one known, and above `above`: what is known, with `add` (identity keys
 * by device_id) and without `remove`.
 */
export async function nextList(
  store: Store,
  account: AccountKey,
  above: number,
  add: ReadonlyMap<string, Uint8Array>,
  remove: ReadonlySet<string>,
): Promise<DeviceList> {
  const own = await store.userId();
  const known = await store.known(own);
  const devices = new Map(known.currentDevices().map((one) => [one.deviceId, one.identityKey]));
  for (const [deviceId, identityKey] of add) devices.set(deviceId, identityKey);
  for (const deviceId of remove) devices.delete(deviceId);
  return account.signList(own, Math.max(known.listVersion, above) + 1, devices);
}

/**
 * Before this device has the account key, or where that is out of date, it can judge its own user's devices by the
 * server's word only.
 *
 * It believes that word for one thing: to read a grant, whose proof the server can't make.
 */
export async function provisional(store: Store, userId: string): Promise<KnownUser | undefined> {
  if (userId !== (await store.userId()) || (await judgesOwn(store))) return undefined;
  const raw = await store.account.raw("provisional");
  return raw === undefined ? undefined : KnownUser.fromBytes(raw);
}
