/**
 * Records as the disk sees them: sealed, under names that say nothing.
 *
 *     record = nonce (12 random bytes) || AES-256-GCM(records key, nonce, plaintext, place)
 *     name   = base64url(HMAC-SHA-256(names key, JSON of its parts), 16 bytes)
 *
 * Both keys are HKDF-SHA-256 of the store's key, under labels of their own. `place` is the record's table, key
 * and indexed values, so that a record that is put elsewhere does not open. What is left to see on the disk is how
 * many records of which size a table has, in how many conversations, at which places, and when messages expire; a
 * record that is put back as it was before, in its own place, opens.
 *
 * Random nonces of 96 bits do for 2^32 records under one key (NIST SP 800-38D section 8.3), which is years of
 * writing without pause.
 */

import { hkdf, hmacSha256, systemRandom } from "../e2e/primitives.ts";
import { base64url, concat, utf8 } from "../wire/bytes.ts";

export const STORE_KEY_BYTES = 32;
const NONCE_BYTES = 12;
const NAME_BYTES = 16;
const RECORDS_INFO = utf8("messenger-web-records-1");
const NAMES_INFO = utf8("messenger-web-names-1");

/** A name that says nothing, of its parts. */
export type Blind = (...parts: readonly string[]) => string;

/** Bytes as WebCrypto's types want them; nothing here lies in memory that is shared. */
export function plain(raw: Uint8Array): Uint8Array<ArrayBuffer> {
  return raw as Uint8Array<ArrayBuffer>;
}

/** A key for AES-256-GCM which the page can't read back. */
export function gcmKey(raw: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", plain(raw), "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** AES-256-GCM with 128 bits of tag. */
export async function gcmSeal(
  key: CryptoKey,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  associated: Uint8Array,
): Promise<Uint8Array> {
  const how = { name: "AES-GCM", iv: plain(nonce), additionalData: plain(associated) };
  return new Uint8Array(await crypto.subtle.encrypt(how, key, plain(plaintext)));
}

/** What `gcmSeal` sealed, `undefined` where it did not. */
export async function gcmOpen(
  key: CryptoKey,
  nonce: Uint8Array,
  sealed: Uint8Array,
  associated: Uint8Array,
): Promise<Uint8Array | undefined> {
  const how = { name: "AES-GCM", iv: plain(nonce), additionalData: plain(associated) };
  try {
    return new Uint8Array(await crypto.subtle.decrypt(how, key, plain(sealed)));
  } catch {
    return undefined; // the one error that WebCrypto has for this says nothing more
  }
}

/** The two keys at work. */
export class Sealer {
  readonly #records: CryptoKey;
  readonly #names: Uint8Array;

  private constructor(records: CryptoKey, names: Uint8Array) {
    this.#records = records;
    this.#names = names;
  }

  /** Of the store's key. */
  static async of(storeKey: Uint8Array): Promise<Sealer> {
    return new Sealer(await gcmKey(hkdf(storeKey, RECORDS_INFO)), hkdf(storeKey, NAMES_INFO));
  }

  readonly blind: Blind = (...parts) => {
    const digest = hmacSha256(this.#names, utf8(JSON.stringify(parts)));
    return base64url(digest.subarray(0, NAME_BYTES));
  };

  /** A record for its place. */
  async seal(place: Uint8Array, plaintext: Uint8Array): Promise<Uint8Array> {
    const nonce = systemRandom(NONCE_BYTES);
    return concat(nonce, await gcmSeal(this.#records, nonce, plaintext, place));
  }

  /** What was sealed for this place, `undefined` for anything else. */
  async open(place: Uint8Array, sealed: unknown): Promise<Uint8Array | undefined> {
    if (!(sealed instanceof Uint8Array) || sealed.length < NONCE_BYTES) return undefined;
    return gcmOpen(this.#records, sealed.subarray(0, NONCE_BYTES), sealed.subarray(NONCE_BYTES), place);
  }
}
