/** Trust, as the page sees it: safety numbers, marks, contact links, and the devices of the own account. */

import { safetyNumber } from "../e2e/account.ts";
import { contactLink, fitsContact, readContactLink } from "../e2e/contacts.ts";
import { BadContactCode, CodeError } from "../e2e/errors.ts";
import { same } from "../e2e/primitives.ts";
import { DeviceCode, grant, matchCode } from "../e2e/provisioning.ts";
import type { Target } from "../store/outbox.ts";
import { utf8 } from "../wire/bytes.ts";
import type { Device } from "../wire/auth.ts";
import type { PendingDevice } from "../wire/keys.ts";
import { judgesOwn } from "./approval.ts";
import { unlessNotFound } from "./asking.ts";
import { beginBatch } from "./batch.ts";
import type { Engine } from "./core.ts";
import {
  BadLink,
  ContactConflict,
  NoIdentity,
  NotApproved,
  UnknownUser,
  WrongCode,
  WrongSafetyNumber,
} from "./errors.ts";
import { handGroups } from "./handing.ts";
import { queue } from "./queueing.ts";
import type { Store } from "./vault.ts";

/** Sixty digits that both sides see alike when nobody stands between them. */
export interface SafetyNumber {
  readonly username: string;
  readonly digits: string;
  readonly verified: boolean;
  /** They are those of a changed identity that was not accepted. */
  readonly changed: boolean;
}

// peers

/** The link by which others have this account as a verified contact at once. NotApproved. */
export function ownLink(engine: Engine): Promise<string> {
  const { server, username, userId } = engine.facts;
  return engine.vault.run(async (store) => {
    const { accountKey } = await store.known(userId);
    if (accountKey === null) throw new NotApproved();
    return contactLink(server, username, userId, accountKey);
  });
}

/**
 * Take whom a contact link names, verified; for a contact that is known, compare. The user's id.
 *
 * BadLink, UnknownUser, NoIdentity, ContactConflict where the server names another user under this name,
 * WrongSafetyNumber where the account key is not the link's: then nothing is marked.
 */
export async function addContact(engine: Engine, link: string): Promise<string> {
  const code = readLink(link);
  if (code.server !== engine.facts.server) {
    throw new BadLink(
      `The link is for the server ${code.server}; this profile is at ${engine.facts.server}.`,
    );
  }
  // Compared before anything is pinned: what the server says of a stranger is not to stay.
  const found = await engine.api.userNamed(code.username);
  if (found?.username !== code.username) throw new UnknownUser(code.username);
  if (found.user_id !== code.userId) {
    throw new ContactConflict(`The server names another user ${code.username} than the link does.`);
  }
  const { accountKey } = await engine.vault.run((store) => store.known(code.userId));
  if (accountKey === null) {
    const given = (await engine.api.identities(code.userId)).device_list;
    if (given !== null && !fitsContact(code, code.userId, given.account_key)) {
      throw new WrongSafetyNumber(`The server gives out another identity of ${code.username}.`);
    }
  }
  const userId = await engine.asking.user(code.username);
  await setVerified(engine, code.username, link);
  return userId;
}

function readLink(link: string): ReturnType<typeof readContactLink> {
  try {
    return readContactLink(link);
  } catch (error) {
    throw error instanceof BadContactCode ? new BadLink(error.message) : error;
  }
}

/** Sixty digits to be compared with the other side, over another way. NoIdentity, UnknownUser, NotApproved. */
export async function safetyNumberOf(engine: Engine, username: string): Promise<SafetyNumber> {
  const userId = await engine.asking.user(username);
  await engine.asking.learn(userId);
  return engine.vault.run((store) => numberOf(store, userId));
}

async function numberOf(store: Store, userId: string): Promise<SafetyNumber> {
  const me = await store.userId();
  const own = await store.known(me);
  const other = await store.known(userId);
  const username = await store.people.name(userId);
  const shown = other.refused ? other.refusedKey : other.accountKey;
  if (own.accountKey === null) throw new NotApproved();
  if (shown === null) throw new NoIdentity(`${username} has not published an account key yet.`);
  return {
    username,
    digits: safetyNumber(me, own.accountKey, userId, shown),
    verified: other.verified && !other.refused,
    changed: other.refused,
  };
}

/**
 * Mark a contact as verified by what was compared: the 60 digits, or its contact link; null takes the mark away.
 * One's own other devices hear of it.
 *
 * An identity that has changed and was not accepted is accepted if the proof fits it. WrongSafetyNumber where the
 * proof does not fit: nothing is marked. NoIdentity, UnknownUser.
 */
export async function setVerified(engine: Engine, username: string, proof: string | null): Promise<void> {
  const userId = await engine.asking.user(username);
  await engine.asking.learn(userId);
  const own = proof === null ? undefined : await engine.ownConversation();
  const batch = beginBatch(engine.clock.now());
  await engine.vault.run(async (store) => {
    const known = await store.known(userId);
    const shown = known.refused ? known.refusedKey : known.accountKey;
    if (shown === null) throw new NoIdentity(`${username} has not published an account key yet.`);
    if (proof === null) {
      known.setVerified(false);
    } else {
      if (!(await fits(store, userId, shown, proof))) {
        throw new WrongSafetyNumber(`That is not what this device sees of ${username}.`);
      }
      if (known.refused) known.acceptAccountKey(shown);
      known.setVerified(true);
      await store.warnings.settleAll("identity_changed", (one) => one.user_id === userId);
    }
    store.states.save(userId, known);
    if (own === undefined) return;
    await queue(store, batch, own, { type: "verified", user_id: userId, account_key: shown }, []);
  });
  await engine.asking.learn(userId);
  if (own !== undefined) engine.sending.wake(own);
}

/** Whether what was compared is of this account key: a contact link, or the digits as typed. */
async function fits(store: Store, userId: string, accountKey: Uint8Array, proof: string): Promise<boolean> {
  try {
    return fitsContact(readContactLink(proof), userId, accountKey);
  } catch (error) {
    if (!(error instanceof BadContactCode)) throw error;
  }
  const { digits } = await numberOf(store, userId);
  return same(utf8(proof.replaceAll(/\s/g, "")), utf8(digits.replaceAll(/\s/g, "")));
}

/**
 * Go on with a user whose changed identity was refused. `digits` are those that the user was shown of it: where the
 * server has named yet another one since, nothing is accepted. NoIdentity, WrongSafetyNumber.
 */
export async function acceptIdentity(engine: Engine, username: string, digits?: string): Promise<void> {
  const userId = await engine.asking.user(username);
  await engine.vault.run(async (store) => {
    const known = await store.known(userId);
    if (!known.refused) return;
    if (known.refusedKey === null) throw new NoIdentity(`${username} has no account key any more.`);
    if (digits !== undefined && digits !== (await numberOf(store, userId)).digits) {
      throw new WrongSafetyNumber(`The identity of ${username} has changed once more: look at it again.`);
    }
    known.acceptAccountKey(known.refusedKey);
    await store.warnings.settleAll("identity_changed", (one) => one.user_id === userId);
    store.states.save(userId, known);
  });
  await engine.asking.learn(userId);
}

// own devices

/** A device of the account's; the signed list names the `approved` ones. */
export type ShownDevice = Device & { readonly approved: boolean };

/** The account's devices. */
export async function devices(engine: Engine): Promise<ShownDevice[]> {
  const { userId } = engine.facts;
  const found = await engine.api.devices();
  if (engine.approved) await engine.asking.learn(userId);
  const known = await engine.vault.run((store) => store.known(userId));
  return found.map((one) => ({ ...one, approved: known.listed(one.device_id) !== undefined }));
}

/**
 * Remove a device: it leaves the list, its session and keys end.
 *
 * The list goes first: what the server does about the rest changes nothing for who may read. A device that was lost
 * or stolen still holds the account key's seed. Refused.
 */
export async function removeDevice(engine: Engine, deviceId: string): Promise<void> {
  const account = await engine.accountKey();
  if (account !== undefined) await engine.publishing.publishList(account, { remove: new Set([deviceId]) });
  await unlessNotFound(engine.api.removeDevice(deviceId));
  engine.asking.forgetViews();
  await engine.asking.learn(engine.facts.userId);
}

/**
 * On a new device, or one that a new account key has put out: the code that an approved one is to be given, once the
 * server has its keys. WrongCode where none is needed.
 */
export async function deviceCode(engine: Engine): Promise<string> {
  const now = engine.clock.now() / 1_000;
  const code = await engine.vault.run(async (store) => {
    const known = await store.states.get(DeviceCode, "own");
    if (known === undefined && (await judgesOwn(store))) {
      throw new WrongCode("This device needs no code: it is approved.");
    }
    if (known !== undefined && !known.expired(now)) return known.toString();
    const made = DeviceCode.create(await store.keys(), now);
    store.states.save("own", made);
    return made.toString();
  });
  await engine.publishing.refresh();
  return code;
}

/** The device that waits and shows this code: to be asked about. WrongCode, NotApproved. */
export async function deviceOf(engine: Engine, code: string): Promise<PendingDevice> {
  if ((await engine.accountKey()) === undefined) throw new NotApproved();
  const { userId } = engine.facts;
  return matched(code, userId, (await engine.api.identities(userId)).pending ?? []);
}

/**
 * On an approved device: put the new one that shows this code into the list, and give it the account.
 *
 * `confirm` is shown the device, with its name and when it logged in, and asked. WrongCode, NotApproved. The server
 * names the devices that wait, and can't make one fit the code; what is sent goes to the identity key that the code
 * proves, whatever the server says later.
 */
export async function approveDevice(
  engine: Engine,
  code: string,
  confirm: (device: PendingDevice) => Promise<boolean>,
): Promise<PendingDevice> {
  const account = await engine.accountKey();
  if (account === undefined) throw new NotApproved();
  const { userId } = engine.facts;
  const found = await deviceOf(engine, code);
  if (!(await confirm(found))) throw new WrongCode("The device was not approved.", "not_confirmed");
  const own = await engine.ownConversation();
  const add = new Map([[found.device_id, found.identity_key]]);
  await engine.publishing.publishList(account, { add });
  engine.asking.forgetViews();
  const body = grant(account, code, userId, found);
  const target: Target = { user_id: userId, device_id: found.device_id, identity_key: found.identity_key };
  const batch = beginBatch(engine.clock.now());
  const granted = await engine.vault.run((store) => queue(store, batch, own, body, [target]));
  engine.sending.wake(own);
  await engine.taken(granted);
  const more = beginBatch(engine.clock.now());
  await engine.vault.run((store) => handGroups(store, more, target));
  for (const one of more.wake) engine.sending.wake(one);
  return found;
}

function matched(code: string, userId: string, waiting: readonly PendingDevice[]): PendingDevice {
  try {
    return matchCode(code, userId, waiting);
  } catch (error) {
    throw error instanceof CodeError ? new WrongCode(error.message) : error;
  }
}
