/** The account: how a profile for it is made and opened, and the calls that are about the account itself. */

import { AccountKey } from "../e2e/account.ts";
import { newKdf } from "../e2e/password.ts";
import { DeviceCode } from "../e2e/provisioning.ts";
import { tokensOf } from "../net/tokens.ts";
import type { TotpSecret } from "../wire/auth.ts";
import { adopt } from "./approval.ts";
import type { Engine } from "./core.ts";
import { type Credentials, type Stated, enter, stated } from "./entering.ts";
import { tolerant } from "./keeping.ts";
import { changing, relock } from "./locking.ts";
import { checkNew } from "./passwords.ts";
import { keepKdf, keptKdf } from "./session.ts";

export {
  type Login,
  type Place,
  type Registration,
  isLocked,
  login,
  open,
  register,
  removeProfile,
} from "./profile.ts";

/** End the session; the profile stays, and a later login goes on as this device. */
export async function logout(engine: Engine): Promise<void> {
  engine.stop();
  await tolerant(engine.api.logout());
  await engine.leave("logged out");
}

/** What is sent where the server asks for the password once more. KdfRefused. */
async function onceMore(engine: Engine, password: string): Promise<Stated> {
  const { http, vault, facts, derive } = engine;
  const known = await vault.run(keptKdf);
  // Without one this session began by a bare password, and a change elsewhere would have ended it.
  const said = { username: facts.username, password, allowBarePassword: known === null };
  return stated(http, said, known, derive);
}

/**
 * Another password, derived with a new salt; all other sessions end. A bare password becomes a derived one, and a
 * store's lock is that of the new one. WeakPassword, Refused (wrong password), KdfRefused, NetError: where no answer
 * came either password may count, and both open the store until it is known which.
 */
export async function changePassword(engine: Engine, current: string, fresh: string): Promise<void> {
  const { vault, api, facts, derive } = engine;
  await checkNew(fresh, facts.username);
  const { login, lock } = await onceMore(engine, current);
  if (lock !== null) await vault.settleLock(lock.kdf.salt);
  const kdf = newKdf(await vault.run(keptKdf));
  const derived = derive(fresh, kdf);
  await changing(vault, { kdf, wrap: derived.wrap }, () =>
    api.changePassword(login, derived.login, { ...kdf, algorithm: "argon2id" }),
  );
  await vault.run((store) => {
    keepKdf(store, kdf);
  });
}

/** Delete the account at the server, for good. Refused for a wrong password, KdfRefused. */
export async function deleteAccount(engine: Engine, password: string): Promise<void> {
  await engine.api.deleteAccount((await onceMore(engine, password)).login);
  engine.stop();
  await engine.leave("the account is deleted");
}

/**
 * A new account key: where no approved device is left, or one is in other hands.
 *
 * Every peer is warned, verified marks end there, and all other devices are out until approved again. KdfRefused,
 * Refused (wrong password or code), SecondFactorRequired: then the session goes on as it was.
 */
export async function resetIdentity(
  engine: Engine,
  said: Pick<Credentials, "password" | "secondFactor">,
): Promise<void> {
  const { http, facts, vault, running, derive } = engine;
  engine.stop(); // the session that it goes by ends with the login
  try {
    const credentials = { ...said, username: facts.username };
    const { login, lock } = await stated(http, credentials, await vault.run(keptKdf), derive);
    const session = await enter(http, credentials, login, { deviceId: facts.deviceId });
    await engine.tokens.replace(tokensOf(session, http.clock.now()));
    await vault.run(async (store) => {
      keepKdf(store, lock?.kdf ?? null);
      await adopt(store, AccountKey.create());
      store.states.drop(DeviceCode, "own");
    });
    if (lock !== null) await relock(vault, lock);
    await engine.publishing.refresh();
    engine.nowApproved();
  } finally {
    if (running) engine.start();
  }
}

// the second factor

/** A secret for an authenticator app; `confirmSecondFactor` makes it count. Refused for a wrong password. */
export async function beginSecondFactor(engine: Engine, password: string): Promise<TotpSecret> {
  return engine.api.beginTotp((await onceMore(engine, password)).login);
}

/** The app's first code; the recovery codes, shown once. Refused for a wrong one. */
export function confirmSecondFactor(engine: Engine, code: string): Promise<string[]> {
  return engine.api.confirmTotp(code.trim());
}

/** Log in by password alone again. Refused for a wrong password, KdfRefused. */
export async function removeSecondFactor(engine: Engine, password: string): Promise<void> {
  await engine.api.removeTotp((await onceMore(engine, password)).login);
}
