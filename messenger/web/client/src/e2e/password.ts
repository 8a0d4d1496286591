/**
 * The password stays here: what logs in is derived of it, and so is a key that the server never hears of.
 *
 *     key   = Argon2id(password as UTF-8, salt, memory_kib, passes, lanes; 32 bytes)        RFC 9106
 *     login = base64(HKDF-SHA-256(key, info "messenger-login-1", 32 bytes))                 RFC 5869
 *     wrap  = HKDF-SHA-256(key, info "messenger-wrap-1", 32 bytes)
 *
 * `login` is sent as `password`; nobody finds `wrap` from it, nor the password except by guessing at Argon2id's
 * price for each guess. `wrap` is for a recovery copy, or for the local store.
 *
 * The parameters come from the server, which may lie. It could answer that the password is sent bare, or derived
 * by almost no work, and so get it after all; `judge` refuses both. The salt is the server's to say: another one
 * is what a change of the password on another device looks like, and guessing costs as much with any.
 */

import { base64, utf8 } from "../wire/bytes.ts";
import { BareKdf, ExcessiveKdf, UnknownKdf, WeakKdf } from "./errors.ts";
import { type Random, argon2, hkdf, systemRandom } from "./primitives.ts";

const ALGORITHM = "argon2id";
const MEMORY_KIB = 65_536; // RFC 9106's second recommended option, but for one lane: browsers have one thread
const PASSES = 3;
const LANES = 1;
const SALT_BYTES = 16;
const MOST_MEMORY_KIB = 1_048_576;
const MOST_PASSES = 16;
const MOST_LANES = 16;
const MOST_SALT_BYTES = 64;

const LOGIN_INFO = utf8("messenger-login-1");
const WRAP_INFO = utf8("messenger-wrap-1");

/** How a password is derived, by a server's word or a profile's; `judge` says whether it will do. */
export interface Kdf {
  readonly algorithm: string;
  readonly memory_kib: number;
  readonly passes: number;
  readonly lanes: number;
  readonly salt: Uint8Array;
}

/** The two halves: `login` (base64) is sent as the password, `wrap` (32 bytes) never leaves the device. */
export interface Derived {
  readonly login: string;
  readonly wrap: Uint8Array;
}

/** Parameters for a new password, with a fresh salt: today's, or the stronger ones of the one before. */
export function newKdf(known: Kdf | null = null, random: Random = systemRandom): Kdf {
  return {
    algorithm: ALGORITHM,
    memory_kib: Math.max(MEMORY_KIB, known?.memory_kib ?? 0),
    passes: Math.max(PASSES, known?.passes ?? 0),
    lanes: known?.lanes ?? LANES,
    salt: random(SALT_BYTES),
  };
}

/**
 * What the server says, where the password may be derived, or with `allowBare` sent (null), in that way.
 *
 * `known` is what this profile used last: nothing weaker is taken, and no bare password, allowed or not.
 * BareKdf, UnknownKdf, WeakKdf, ExcessiveKdf.
 */
export function judge(kdf: Kdf | null, known: Kdf | null = null, allowBare = false): Kdf | null {
  if (kdf === null) {
    if (known !== null) {
      throw new BareKdf(
        "The server asks for the password itself, and had it derived before: that is how a server would steal " +
          "it. Nothing was sent; ask whoever runs the server.",
      );
    }
    if (allowBare) return null;
    throw new BareKdf(
      "The server asks for the password itself: this account is older than derived passwords, or the server " +
        "would steal it. Change the password on a device that is logged in, and it is derived from then on.",
    );
  }
  if (kdf.algorithm !== ALGORITHM) {
    throw new UnknownKdf("The server wants the password derived in a way that this client does not know.");
  }
  const { memory_kib: memory, passes, lanes, salt } = kdf;
  if (
    memory > MOST_MEMORY_KIB ||
    passes > MOST_PASSES ||
    !(lanes >= 1 && lanes <= MOST_LANES) ||
    !(salt.length >= SALT_BYTES && salt.length <= MOST_SALT_BYTES)
  ) {
    throw new ExcessiveKdf(
      `The server wants the password derived with ${String(memory)} KiB, ${String(passes)} passes, ` +
        `${String(lanes)} lanes and a salt of ${String(salt.length)} bytes, which no client asks for.`,
    );
  }
  if (memory < MEMORY_KIB || passes < PASSES) {
    throw new WeakKdf(
      `The server wants the password derived with ${String(memory)} KiB and ${String(passes)} passes, which ` +
        `would make it easy to guess; ${String(MEMORY_KIB)} KiB and ${String(PASSES)} passes are the least.`,
    );
  }
  if (known !== null && (memory < known.memory_kib || passes < known.passes)) {
    throw new WeakKdf("The server wants the password derived with less work than before.");
  }
  return kdf;
}

/**
 * The two halves of a password: a second and more of work, and `memory_kib` of memory. Only in a worker.
 *
 * `kdf` was judged before.
 */
export function derive(password: string, kdf: Kdf): Derived {
  const key = argon2(utf8(password), kdf.salt, kdf.memory_kib, kdf.passes, kdf.lanes);
  return { login: base64(hkdf(key, LOGIN_INFO)), wrap: hkdf(key, WRAP_INFO) };
}
