/**
 * The store's key: 32 random bytes, kept wrapped beside the records.
 *
 *     inner   = the key, or where the user wants a lock
 *               nonce (12) || AES-256-GCM-SIV(HKDF-SHA-256(wrap, "messenger-web-lock-1"), nonce, key, label)
 *     wrapped = AES-256-GCM(wrapping key, nonce, inner, label || JSON of the lock's kdf or null)
 *     label   = "messenger-web-store-key-1" || 0
 *
 * The wrapping key is a CryptoKey that no script can export. That keeps the key out of the database's bytes as they
 * are read by a page, and no more: a script in the page can use it and so has the key, and whoever copies the
 * browser's files has both. Against the latter is the lock: `wrap` is the half of the password that the server never
 * hears of (e2e/password.ts), and each guess costs Argon2id's price. Another password, or none, wraps the same key
 * anew: who copied the store before opens it as before.
 *
 * While a password is being changed at the server nobody knows which of the two will count: the key is kept under
 * both then (`next`), until one of them is known to stand.
 */

import { type Kdf, judge } from "../e2e/password.ts";
import { hkdf, label, open, same, seal, systemRandom } from "../e2e/primitives.ts";
import { base64, concat, utf8 } from "../wire/bytes.ts";
import type { Database } from "./database.ts";
import { NoProfile, StoreCorrupt, StoreTooNew, WrongPassword } from "./errors.ts";
import { STORE_KEY_BYTES, gcmOpen, gcmSeal } from "./sealing.ts";

const VERSION = 1;
const NONCE_BYTES = 12;
const LABEL = label("messenger-web-store-key-1");
const LOCK_INFO = utf8("messenger-web-lock-1");

/** The password's half, and how it is derived again. */
export interface Lock {
  readonly kdf: Kdf;
  readonly wrap: Uint8Array;
}

/** Derives the password's half as a lock wants it. */
export type Unlock = (lock: Kdf) => Uint8Array;

/** How the password that opens the store is derived: null where there is no lock. */
export interface Locks {
  readonly lock: Kdf | null;
  /** The one that stands beside it while the password is being changed. */
  readonly next: Kdf | null;
}

interface Wrapped {
  readonly wrapping: CryptoKey;
  readonly nonce: Uint8Array;
  readonly wrapped: Uint8Array;
  readonly lock: Kdf | null;
}

interface KeyRow extends Wrapped {
  readonly version: number;
  readonly next?: Wrapped;
}

/** A new key, kept. ProfileExists. */
export async function createKey(database: Database, lock: Lock | null): Promise<Uint8Array> {
  const key = systemRandom(STORE_KEY_BYTES);
  await database.setKeyRow({ version: VERSION, ...(await wrapped(key, lock)) }, true);
  return key;
}

/** The locks that there are. StoreCorrupt, StoreTooNew. */
export async function locksOf(database: Database): Promise<Locks> {
  const { lock, next } = await keyRow(database);
  return { lock, next: next?.lock ?? null };
}

/** The key. `unlock` is null where no password was given. WrongPassword, StoreCorrupt, StoreTooNew. */
export async function storedKey(database: Database, unlock: Unlock | null): Promise<Uint8Array> {
  const row = await keyRow(database);
  if (row.next === undefined) return keyOf(row, unlock);
  try {
    return await keyOf(row, unlock);
  } catch (error) {
    if (!(error instanceof WrongPassword)) throw error;
    return keyOf(row.next, unlock);
  }
}

/** Keep the key under this lock, or none, and under no other. */
export async function setLock(database: Database, key: Uint8Array, lock: Lock | null): Promise<void> {
  await database.setKeyRow({ version: VERSION, ...(await wrapped(key, lock)) }, false);
}

/** Keep the key under this lock, too, until `settleLock`. */
export async function addLock(database: Database, key: Uint8Array, lock: Lock): Promise<void> {
  const row = await keyRow(database);
  await database.setKeyRow({ ...row, next: await wrapped(key, lock) }, false);
}

/** Of two locks, keep the one that is derived with this salt; with any other all stays as it is. */
export async function settleLock(database: Database, salt: Uint8Array): Promise<void> {
  const { next, ...first } = await keyRow(database);
  if (next === undefined) return;
  for (const kept of [next, first]) {
    if (kept.lock === null || !same(kept.lock.salt, salt)) continue;
    await database.setKeyRow({ ...kept, version: VERSION }, false);
    return;
  }
}

async function keyOf(row: Wrapped, unlock: Unlock | null): Promise<Uint8Array> {
  if (row.lock !== null && unlock === null) throw new WrongPassword();
  const inner = await gcmOpen(row.wrapping, row.nonce, row.wrapped, associated(row.lock));
  if (inner === undefined) throw new StoreCorrupt("The store's key was changed on the disk.");
  const key = row.lock === null || unlock === null ? inner : unlocked(inner, unlock(row.lock));
  if (key.length !== STORE_KEY_BYTES)
    throw new StoreCorrupt("The store's key has another length than it should.");
  return key;
}

function unlocked(inner: Uint8Array, wrap: Uint8Array): Uint8Array {
  const nonce = inner.subarray(0, NONCE_BYTES);
  const key = open(hkdf(wrap, LOCK_INFO), nonce, inner.subarray(NONCE_BYTES), LABEL);
  if (key === undefined) throw new WrongPassword();
  return key;
}

async function wrapped(key: Uint8Array, lock: Lock | null): Promise<Wrapped> {
  const wrapping = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, [
    "encrypt",
    "decrypt",
  ]);
  const kdf = lock === null ? null : judge(lock.kdf);
  const nonce = systemRandom(NONCE_BYTES);
  const inner = lock === null ? key : locked(key, lock.wrap);
  const sealed = await gcmSeal(wrapping, nonce, inner, associated(kdf));
  return { wrapping, nonce, wrapped: sealed, lock: kdf };
}

function locked(key: Uint8Array, wrap: Uint8Array): Uint8Array {
  const nonce = systemRandom(NONCE_BYTES);
  return concat(nonce, seal(hkdf(wrap, LOCK_INFO), nonce, key, LABEL));
}

function associated(lock: Kdf | null): Uint8Array {
  const { algorithm, memory_kib, passes, lanes, salt } = lock ?? {};
  const said = lock && [algorithm, memory_kib, passes, lanes, base64(salt ?? new Uint8Array())];
  return concat(LABEL, utf8(JSON.stringify(said)));
}

async function keyRow(database: Database): Promise<KeyRow> {
  const found = await database.keyRow();
  if (found === undefined) throw new NoProfile();
  const row = found as Partial<KeyRow>;
  if (typeof row.version === "number" && row.version > VERSION) throw new StoreTooNew();
  const wrappings = [row, row.next].filter((one) => one !== undefined);
  if (row.version !== VERSION || !wrappings.every(isWhole)) {
    throw new StoreCorrupt("What keeps the store's key is damaged.");
  }
  return row as KeyRow;
}

function isWhole(row: Partial<Wrapped> | null): boolean {
  const { wrapping, nonce, wrapped: sealed, lock } = row ?? {};
  return (
    wrapping instanceof CryptoKey &&
    nonce instanceof Uint8Array &&
    sealed instanceof Uint8Array &&
    lock !== undefined &&
    (lock === null || lock.salt instanceof Uint8Array)
  );
}
