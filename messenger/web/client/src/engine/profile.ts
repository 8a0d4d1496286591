/** How a profile for an account is made, opened and taken away. */

import type { Kdf } from "../e2e/password.ts";
import { derive, newKdf } from "../e2e/password.ts";
import { Http, type HttpSettings } from "../net/http.ts";
import { Open } from "../net/open.ts";
import { tokensOf } from "../net/tokens.ts";
import { Database } from "../store/database.ts";
import { NoProfile } from "../store/errors.ts";
import type { Lock, Locks } from "../store/unlock.ts";
import type { Kdf as SentKdf, Session } from "../wire/auth.ts";
import { IDENTITIES } from "../wire/keys.ts";
import { makeKeys } from "./approval.ts";
import { Engine, type EngineSettings } from "./core.ts";
import { type Credentials, enter, stated } from "./entering.ts";
import { ProfileMismatch } from "./errors.ts";
import { relock } from "./locking.ts";
import { type Derive, checkNew, remembering } from "./passwords.ts";
import { keepKdf, keepTokens, keptKdf } from "./session.ts";
import { Vault } from "./vault.ts";

/** Where a profile is, and how it is served. */
export interface Place extends EngineSettings {
  /** The profile's name in this browser. */
  readonly profile: string;
  /** `https://host:port` of the server. */
  readonly server: string;
  readonly http?: Omit<HttpSettings, "origin">;
}

export interface Registration {
  readonly username: string;
  readonly password: string;
  readonly invite?: string;
  readonly deviceName?: string;
  /** Whether the password opens the store, too. */
  readonly lock?: boolean;
}

export interface Login extends Credentials {
  readonly deviceName?: string;
  /** Whether the password opens a new store, too. */
  readonly lock?: boolean;
  /** The password that still opens the store, where it was changed on another device since. */
  readonly lockedBy?: string;
}

function httpOf({ server, http = {} }: Place): Http {
  return new Http({ ...http, origin: server.replace(/\/+$/, "") });
}

function deriveOf(place: EngineSettings): Derive {
  return remembering(place.derive ?? derive);
}

/**
 * A new account, its first device and a new profile for it. The password does not leave the device.
 *
 * WeakPassword, Refused (a name that is taken, a bad invite), NetError, ProfileExists.
 */
export async function register(place: Place, said: Registration): Promise<Engine> {
  await checkNew(said.password, said.username);
  const http = httpOf(place);
  const kdf = newKdf();
  const { login, wrap } = deriveOf(place)(said.password, kdf);
  return inNewProfile(place, said.lock === true ? { kdf, wrap } : null, async (vault) => {
    const session = await new Open(http).register({
      username: said.username,
      password: login,
      kdf: sent(kdf),
      ...(said.invite === undefined ? {} : { invite: said.invite }),
      ...(said.deviceName === undefined ? {} : { device_name: said.deviceName }),
    });
    await adopt(vault, http, session, kdf, true);
    return Engine.make(vault, http, place);
  });
}

/**
 * A session for a profile that exists, as its device; or a new device in a new profile.
 *
 * A new device of an account that has others is to be approved by one of them (`deviceCode`). A store's lock is that
 * of this password from then on. KdfRefused, Refused (wrong password or code), SecondFactorRequired, ProfileMismatch,
 * WrongPassword (of the store: then `lockedBy` is wanted), NetError.
 */
export async function login(place: Place, said: Login): Promise<Engine> {
  const derived = deriveOf(place);
  if ((await locksOf(place.profile)) === undefined) return inNewDevice(place, said, derived);
  const password = said.lockedBy ?? said.password;
  const vault = await Vault.open(place.profile, (lock) => derived(password, lock).wrap);
  try {
    return await goOn(place, said, vault, derived);
  } catch (error) {
    await vault.close();
    throw error;
  }
}

/** A profile that exists. `password` where it has a lock. NoProfile, WrongPassword, StoreCorrupt, StoreTooNew. */
export async function open(place: Omit<Place, "server">, password?: string): Promise<Engine> {
  const unlock = password === undefined ? null : (lock: Kdf) => deriveOf(place)(password, lock).wrap;
  const vault = await Vault.open(place.profile, unlock);
  try {
    const server = (await vault.run((store) => store.account.get("server"))) ?? "";
    return await Engine.make(vault, httpOf({ ...place, server }), place);
  } catch (error) {
    await vault.close();
    throw error;
  }
}

/** Whether a profile has a lock, so that `open` wants a password; `undefined` where there is no profile. */
export async function isLocked(profile: string): Promise<boolean | undefined> {
  const found = await locksOf(profile);
  return found === undefined ? undefined : found.lock !== null;
}

/** Take a profile away that is closed. */
export function removeProfile(profile: string): Promise<void> {
  return Database.remove(profile);
}

async function locksOf(profile: string): Promise<Locks | undefined> {
  try {
    return await Vault.locksOf(profile);
  } catch (error) {
    if (error instanceof NoProfile) return undefined;
    throw error;
  }
}

/** A new profile, which goes again where the work in it fails. */
async function inNewProfile(
  { profile }: Place,
  lock: Lock | null,
  work: (vault: Vault) => Promise<Engine>,
): Promise<Engine> {
  const vault = await Vault.create(profile, lock);
  try {
    return await work(vault);
  } catch (error) {
    await vault.close();
    await Database.remove(profile);
    throw error;
  }
}

async function inNewDevice(place: Place, said: Login, derived: Derive): Promise<Engine> {
  const http = httpOf(place);
  const { login: password, lock } = await stated(http, said, null, derived);
  return inNewProfile(place, said.lock === true ? lock : null, async (vault) => {
    const session = await enter(http, said, password, { deviceName: said.deviceName });
    const first = await isFirstDevice(http, session);
    await adopt(vault, http, session, lock?.kdf ?? null, first);
    return Engine.make(vault, http, place);
  });
}

/** Another session for the profile's own device. */
async function goOn(place: Place, said: Login, vault: Vault, derived: Derive): Promise<Engine> {
  const http = httpOf(place);
  const { server, username, device, known } = await vault.run(async (store) => ({
    server: await store.account.get("server"),
    username: await store.account.get("username"),
    device: await store.deviceId(),
    known: await keptKdf(store),
  }));
  if (server !== http.origin || username !== said.username.trim().toLowerCase()) {
    throw new ProfileMismatch(`The profile is ${username ?? ""}'s at ${server ?? ""}.`);
  }
  const { login: password, lock } = await stated(http, said, known, derived);
  const named = { deviceId: device, deviceName: said.deviceName };
  await adopt(vault, http, await enter(http, said, password, named), lock?.kdf ?? null);
  if (lock !== null) await relock(vault, lock);
  return Engine.make(vault, http, place);
}

/** Whether the account has no devices with keys yet, so that this one makes the account key. */
async function isFirstDevice(http: Http, session: Session): Promise<boolean> {
  const once = {
    access: () => Promise.resolve(session.access_token),
    renew: (stale: string) => Promise.resolve(stale),
  };
  const said = await http.call({ path: `/keys/identity/${session.user.user_id}`, token: once }, IDENTITIES);
  return said.device_list === null && said.items.length === 0;
}

/**
 * Keep a session, and with it, where the device is new, its keys: who dies in between has both or neither. `first`:
 * whether the new device is the account's first one.
 */
async function adopt(
  vault: Vault,
  http: Http,
  session: Session,
  kdf: Kdf | null,
  first?: boolean,
): Promise<void> {
  const now = http.clock.now();
  const tokens = tokensOf(session, now);
  await vault.run(async (store) => {
    const { user, device_id } = session;
    keepKdf(store, kdf);
    keepTokens(store, tokens);
    store.account.set("server", http.origin);
    store.account.set("user_id", user.user_id);
    store.account.set("username", user.username);
    store.account.set("device_id", device_id);
    store.people.put(user.user_id, user.username);
    if (first !== undefined) await makeKeys(store, first, now / 1_000);
  });
}

/** How a password is derived, as it is sent: no other way is ever kept. */
function sent(kdf: Kdf): SentKdf {
  return { ...kdf, algorithm: "argon2id" };
}
