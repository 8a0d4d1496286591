/**
 * The store's lock is made from the account's password: whenever that changes, so does the lock, and none is left
 * that the old password opens.
 */

import { same } from "../e2e/primitives.ts";
import { Refused } from "../net/errors.ts";
import type { Http } from "../net/http.ts";
import type { Lock } from "../store/unlock.ts";
import { KdfRefused } from "./errors.ts";
import { askedKdf } from "./passwords.ts";
import { keptKdf } from "./session.ts";
import type { Vault } from "./vault.ts";

/** A password has just logged in: where there is a lock, it is made from this one. */
export async function relock(vault: Vault, made: Lock): Promise<void> {
  const { lock, next } = await vault.locks();
  if (lock === null || (next === null && same(lock.salt, made.kdf.salt))) return;
  await vault.setLock(made);
}

/**
 * Change the password at the server, by `change`, and the lock with it, to `made`.
 *
 * Whatever happens in between, one of the two passwords opens the store, and it is known later which (`settle`).
 */
export async function changing(vault: Vault, made: Lock, change: () => Promise<void>): Promise<void> {
  const { lock } = await vault.locks();
  if (lock === null) {
    await change();
    return;
  }
  await vault.addLock(made);
  try {
    await change();
  } catch (error) {
    // A refusal is certain. After anything else nobody knows whether the password is another one now.
    if (error instanceof Refused && error.status < 500) await vault.settleLock(lock.salt);
    throw error;
  }
  await vault.settleLock(made.kdf.salt);
}

/** Where nobody knew whether the password was changed: ask, and keep the lock that fits. NetError. */
export async function settle(vault: Vault, http: Http, username: string): Promise<void> {
  const { next } = await vault.locks();
  if (next === null) return;
  try {
    const said = await askedKdf(http, username, await vault.run(keptKdf), false);
    if (said !== null) await vault.settleLock(said.salt);
  } catch (error) {
    // A server that lies about this leaves both locks, until a login says which password counts.
    if (!(error instanceof KdfRefused)) throw error;
  }
}
