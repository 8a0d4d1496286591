/** The account: how a profile for it is made and opened, and the calls that are about the account itself. */

import { AccountKey } from "../e2e/account.ts";
import { type Derived, type Kdf, derive, newKdf } from "../e2e/password.ts";
import { DeviceCode } from "../e2e/provisioning.ts";
import { type LoggedIn, Open } from "../net/api.ts";
import { Http, type HttpSettings } from "../net/http.ts";
import { tokensOf } from "../net/tokens.ts";
import { Database } from "../store/database.ts";
import { NoProfile, WrongPassword } from "../store/errors.ts";
import type { Kdf as SentKdf, Session } from "../wire/auth.ts";
import { IDENTITIES } from "../wire/keys.ts";
import { adopt as adoptAccount, makeKeys } from "./approval.ts";
import { Engine, type EngineSettings } from "./core.ts";
import { ProfileMismatch, SecondFactorRequired } from "./errors.ts";
import { tolerant } from "./keeping.ts";
import { askedKdf, checkNew } from "./passwords.ts";
import { keepKdf, keepTokens, keptKdf } from "./session.ts";
import { Vault } from "./vault.ts";

/** Where a profile is, and how it is served. */
export interface Place extends EngineSettings {
  /** The profile's name in this browser. */
  readonly profile: string;
  /** `https://host:port` of the server. */
  readonly server: string;
  readonly http?: Omit<HttpSettings, "origin">;
  /** Argon2id; a second and more of work. */
  readonly derive?: (password: string, kdf: Kdf) => Derived;
}

export interface Registration {
  readonly username: string;
  readonly password: string;
  readonly invite?: string;
  readonly deviceName?: string;
  /** Whether the password opens the store, too. */
  readonly lock?: boolean;
}

export interface Login {
  readonly username: string;
  readonly password: string;
  readonly deviceName?: string;
  /** The code of the second factor, asked for where it is wanted. */
  readonly secondFactor?: () => Promise<string>;
  /** Send the password itself, where the account is older than derived passwords. */
  readonly allowBarePassword?: boolean;
  /** Whether the password opens a new store, too. */
  readonly lock?: boolean;
}

function httpOf({ server, http = {} }: Place): Http {
  return new Http({ ...http, origin: server.replace(/\/+$/, "") });
}

/**
 * A new account, its first device and a new profile for it. The password does not leave the device.
 *
 * WeakPassword, Refused (a name that is taken, a bad invite), NetError, ProfileExists.
 */
export async function register(place: Place, said: Registration): Promise<Engine> {
  checkNew(said.password);
  const http = httpOf(place);
  const kdf = newKdf();
  const { login, wrap } = (place.derive ?? derive)(said.password, kdf);
  return inNewProfile(place, said.lock === true ? { kdf, wrap } : null, async (vault) => {
    const session = await new Open(http).register({
      username: said.username,
      password: login,
      kdf: sent(kdf),
      ...(said.invite === undefined ? {} : { invite: said.invite }),
      ...(said.deviceName === undefined ? {} : { device_name: said.deviceName }),
    });
    await adopt(vault, http, session, kdf);
    const now = http.clock.now() / 1_000;
    await vault.run((shelf) => makeKeys(shelf, true, now));
    return Engine.make(vault, http, place);
  });
}

/**
 * A session for a profile that exists, as its device; or a new device in a new profile.
 *
 * A new device of an account that has others is to be approved by one of them (`deviceCode`). KdfRefused, Refused
 * (wrong password), SecondFactorRequired, ProfileMismatch, WrongPassword (of the store), NetError.
 */
export async function login(place: Place, said: Login): Promise<Engine> {
  const lock = await lockOf(place.profile);
  if (lock !== undefined) {
    const wrap = lock === null ? null : (place.derive ?? derive)(said.password, lock).wrap;
    const vault = await Vault.open(place.profile, wrap);
    try {
      return await loggedIn(place, said, vault);
    } catch (error) {
      await vault.close();
      throw error;
    }
  }
  const { password } = said;
  const http = httpOf(place);
  const kdf = await askedKdf(http, said.username, null, said.allowBarePassword === true);
  const derived = kdf === null ? undefined : (place.derive ?? derive)(password, kdf);
  const store = said.lock === true && kdf !== null && derived ? { kdf, wrap: derived.wrap } : null;
  return inNewProfile(place, store, async (vault) => {
    const session = await sessionOf(http, said, derived?.login ?? password, undefined);
    const first = await isFirstDevice(http, session);
    await adopt(vault, http, session, kdf);
    const now = http.clock.now() / 1_000;
    await vault.run((shelf) => makeKeys(shelf, first, now));
    return Engine.make(vault, http, place);
  });
}

/** A profile that exists. `password` where it has a lock. NoProfile, WrongPassword, StoreCorrupt, StoreTooNew. */
export async function open(place: Omit<Place, "server">, password?: string): Promise<Engine> {
  const lock = await Vault.lockOf(place.profile);
  if (lock !== null && password === undefined) throw new WrongPassword();
  const wrap = lock === null || password === undefined ? null : (place.derive ?? derive)(password, lock).wrap;
  const vault = await Vault.open(place.profile, wrap);
  try {
    const server = (await vault.run((shelf) => shelf.account.get("server"))) ?? "";
    return await Engine.make(vault, httpOf({ ...place, server }), place);
  } catch (error) {
    await vault.close();
    throw error;
  }
}

/** The lock of a profile, null where it has none; `undefined` where there is no profile. */
async function lockOf(profile: string): Promise<Kdf | null | undefined> {
  try {
    return await Vault.lockOf(profile);
  } catch (error) {
    if (error instanceof NoProfile) return undefined;
    throw error;
  }
}

/** A new profile, which goes again where the work in it fails. */
async function inNewProfile(
  { profile }: Place,
  lock: { readonly kdf: Kdf; readonly wrap: Uint8Array } | null,
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

async function loggedIn(place: Place, said: Login, vault: Vault): Promise<Engine> {
  const http = httpOf(place);
  const { server, username, device, known } = await vault.run(async (shelf) => ({
    server: await shelf.account.get("server"),
    username: await shelf.account.get("username"),
    device: await shelf.deviceId(),
    known: await keptKdf(shelf),
  }));
  if (server !== http.origin || username !== said.username.trim().toLowerCase()) {
    throw new ProfileMismatch(`The profile is ${username ?? ""}'s at ${server ?? ""}.`);
  }
  const kdf = await askedKdf(http, said.username, known, said.allowBarePassword === true);
  const password = kdf === null ? said.password : (place.derive ?? derive)(said.password, kdf).login;
  await adopt(vault, http, await sessionOf(http, said, password, device), kdf);
  return Engine.make(vault, http, place);
}

async function sessionOf(
  http: Http,
  said: Login,
  password: string,
  deviceId: string | undefined,
): Promise<Session> {
  const found: LoggedIn = await new Open(http).login({
    username: said.username,
    password,
    ...(deviceId === undefined ? {} : { device_id: deviceId }),
    ...(said.deviceName === undefined ? {} : { device_name: said.deviceName }),
  });
  if ("session" in found) return found.session;
  if (said.secondFactor === undefined) throw new SecondFactorRequired();
  return new Open(http).secondFactor(found.challenge, (await said.secondFactor()).trim());
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

async function adopt(vault: Vault, http: Http, session: Session, kdf: Kdf | null): Promise<void> {
  const tokens = tokensOf(session, http.clock.now());
  await vault.run((shelf) => {
    const { user, device_id } = session;
    keepKdf(shelf, kdf);
    keepTokens(shelf, tokens);
    shelf.account.set("server", http.origin);
    shelf.account.set("user_id", user.user_id);
    shelf.account.set("username", user.username);
    shelf.account.set("device_id", device_id);
    shelf.people.put(user.user_id, user.username);
  });
}

function sent(kdf: Kdf): SentKdf {
  return { ...kdf, algorithm: "argon2id" };
}

// the account

/** End the session; the profile stays, and a later login goes on as this device. */
export async function logout(engine: Engine): Promise<void> {
  engine.stop();
  await tolerant(engine.api.logout());
  await engine.tokens.replace(null);
}

/** What is sent where the server asks for the password once more. KdfRefused. */
async function stated(engine: Engine, password: string): Promise<string> {
  const known = await engine.vault.run(keptKdf);
  // Without one this session began by a bare password, and a change elsewhere would have ended it.
  const kdf = await askedKdf(engine.http, engine.facts.username, known, known === null);
  return kdf === null ? password : derive(password, kdf).login;
}

/** Another password, derived with a new salt; all other sessions end. WeakPassword, Refused, KdfRefused. */
export async function changePassword(engine: Engine, current: string, fresh: string): Promise<void> {
  checkNew(fresh);
  const said = await stated(engine, current);
  const kdf = newKdf(await engine.vault.run(keptKdf));
  await engine.api.changePassword(said, derive(fresh, kdf).login, sent(kdf));
  await engine.vault.run((shelf) => {
    keepKdf(shelf, kdf);
  });
}

/** Delete the account at the server, for good. Refused for a wrong password, KdfRefused. */
export async function deleteAccount(engine: Engine, password: string): Promise<void> {
  await engine.api.deleteAccount(await stated(engine, password));
  engine.stop();
  await engine.tokens.replace(null);
}

/**
 * A new account key: where no approved device is left, or one is in other hands.
 *
 * Every peer is warned, verified marks end there, and all other devices are out until approved again. KdfRefused,
 * Refused (wrong password), SecondFactorRequired.
 */
export async function resetIdentity(
  engine: Engine,
  said: Pick<Login, "password" | "secondFactor"> & Pick<Place, "derive">,
): Promise<void> {
  const { http, facts, vault, running } = engine;
  engine.stop(); // the session that it goes by ends with the login
  try {
    const known = await vault.run(keptKdf);
    const kdf = await askedKdf(http, facts.username, known, false);
    const password = kdf === null ? said.password : (said.derive ?? derive)(said.password, kdf).login;
    const login = { ...said, username: facts.username };
    const session = await sessionOf(http, login, password, facts.deviceId);
    await engine.tokens.replace(tokensOf(session, http.clock.now()));
    await vault.run(async (shelf) => {
      await adoptAccount(shelf, AccountKey.create());
      shelf.states.drop(DeviceCode, "own");
    });
    await engine.publishing.refresh();
    engine.nowApproved();
  } finally {
    if (running) engine.start();
  }
}

/** Take a profile away that is closed. */
export function removeProfile(profile: string): Promise<void> {
  return Database.remove(profile);
}
