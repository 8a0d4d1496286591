/**
 * The store's key: 32 random bytes, kept wrapped beside the records.
 *
 *     inner   = the key, or where the user wants a lock
 *               nonce (12) || AES-256-GCM-SIV(HKDF-SHA-256(wrap, "messenger-web-lock-1"), nonce, key, label)
 *     wrapped = AES-256-GCM(wrapping key, nonce, inner, label || JSON of the lock's kdf or null)
 *     label   = "messenger-web-store-key-1" || 0
 *
 * The wrapping key is a CryptoKey that the page can use and not read; so a script that gets into the page can't
 * carry the key off in one piece, but whoever copies the browser's files has it. Against those is the lock: `wrap`
 * is the half of the password that the server never hears of (e2e/password.ts), and each guess costs Argon2id's
 * price. Another password, or none, wraps the same key anew: who copied the store before opens it as before.
 */

import { type Kdf, judge } from "../e2e/password.ts";
import { hkdf, label, open, seal, systemRandom } from "../e2e/primitives.ts";
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

interface KeyRow {
  readonly version: number;
  readonly wrapping: CryptoKey;
  readonly nonce: Uint8Array;
  readonly wrapped: Uint8Array;
  readonly lock: Kdf | null;
}

/** A new key, kept. ProfileExists. */
export async function createKey(database: Database, lock: Lock | null): Promise<Uint8Array> {
  const key = systemRandom(STORE_KEY_BYTES);
  await database.setKeyRow(await wrapped(key, lock), true);
  return key;
}

/** How the password that opens the store is derived; null where there is no lock. StoreCorrupt, StoreTooNew. */
export async function lockOf(database: Database): Promise<Kdf | null> {
  return (await keyRow(database)).lock;
}

/** The key. `wrap` is the password's half, null where there is no lock. WrongPassword, StoreCorrupt, StoreTooNew. */
export async function storedKey(database: Database, wrap: Uint8Array | null): Promise<Uint8Array> {
  const row = await keyRow(database);
  if (row.lock !== null && wrap === null) throw new WrongPassword();
  const inner = await gcmOpen(row.wrapping, row.nonce, row.wrapped, associated(row.lock));
  if (inner === undefined) throw new StoreCorrupt("The store's key was changed on the disk.");
  const key = row.lock === null || wrap === null ? inner : unlocked(inner, wrap);
  if (key.length !== STORE_KEY_BYTES)
    throw new StoreCorrupt("The store's key has another length than it should.");
  return key;
}

/** Set another lock, or none. What `storedKey` throws; then all is as it was. */
export async function changeLock(
  database: Database,
  wrap: Uint8Array | null,
  lock: Lock | null,
): Promise<void> {
  const key = await storedKey(database, wrap);
  await database.setKeyRow(await wrapped(key, lock), false);
}

function unlocked(inner: Uint8Array, wrap: Uint8Array): Uint8Array {
  const nonce = inner.subarray(0, NONCE_BYTES);
  const key = open(hkdf(wrap, LOCK_INFO), nonce, inner.subarray(NONCE_BYTES), LABEL);
  if (key === undefined) throw new WrongPassword();
  return key;
}

async function wrapped(key: Uint8Array, lock: Lock | null): Promise<KeyRow> {
  const wrapping = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, [
    "encrypt",
    "decrypt",
  ]);
  const kdf = lock === null ? null : judge(lock.kdf);
  const nonce = systemRandom(NONCE_BYTES);
  const inner = lock === null ? key : locked(key, lock.wrap);
  const sealed = await gcmSeal(wrapping, nonce, inner, associated(kdf));
  return { version: VERSION, wrapping, nonce, wrapped: sealed, lock: kdf };
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
  const { wrapping, nonce, wrapped: sealed, lock } = row;
  const isWhole =
    row.version === VERSION &&
    wrapping instanceof CryptoKey &&
    nonce instanceof Uint8Array &&
    sealed instanceof Uint8Array &&
    lock !== undefined &&
    (lock === null || lock.salt instanceof Uint8Array);
  if (!isWhole) throw new StoreCorrupt("What keeps the store's key is damaged.");
  return row as KeyRow;
}
