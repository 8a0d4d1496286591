/**
 * How a new device of a user comes to be trusted, by an old one and a code.
 *
 * The new device logs in and publishes its keys; the server keeps it unpublished, as nothing vouches for it. It
 * shows a code, which the user types (or copies) into an old device:
 *
 *     secret = 10 random bytes
 *     tag    = HMAC(secret, "messenger-device-code-1" 0x00 user_id device_id identity_key), the first 5 bytes
 *     code   = base32 of secret and tag, 24 letters in groups of four
 *
 * The old device computes the tag for each device that waits. The server, which names them, does not know the
 * secret, and gets one try at 40 bits: only the true identity key fits. The old device puts it into the signed
 * list, and sends it the account's private key through a session with just this device and identity key:
 *
 *     proof  = HMAC(secret, "messenger-account-grant-1" 0x00 account_key user_id device_id identity_key)
 *
 * The new device takes an account key from nobody but who was shown its code: a server that listed the device
 * under an account key of its own can't make the proof. A code is good for CODE_SECONDS. With the account key
 * every device can approve the next.
 */

import { base32, base32Bytes, concat } from "../wire/bytes.ts";
import { type Of, REAL, binary, isId, members } from "../wire/codec.ts";
import type { PendingDevice } from "../wire/keys.ts";
import { AccountKey } from "./account.ts";
import type { AccountGrant } from "./bodies.ts";
import { CodeError, CodeExpired, GrantRefused } from "./errors.ts";
import type { DeviceKeys } from "./prekeys.ts";
import { type Random, hmacSha256, idBytes, label, same, systemRandom } from "./primitives.ts";
import { dump, load } from "./state.ts";

const CODE_LABEL = label("messenger-device-code-1");
const GRANT_LABEL = label("messenger-account-grant-1");
export const CODE_SECONDS = 600;
const SECRET_BYTES = 10;
const TAG_BYTES = 5;
const LETTERS = ((SECRET_BYTES + TAG_BYTES) * 8) / 5;
/** Digits that are no letters of base32, and what they are read as. */
const MEANT: Readonly<Record<string, string>> = { "0": "O", "1": "I", "8": "B" };

const STATE = members({ secret: binary(SECRET_BYTES), tag: binary(TAG_BYTES), createdAt: REAL });

/** The code that a new device shows; kept until its account key has come. */
export class DeviceCode {
  readonly #state: Of<typeof STATE>;

  private constructor(state: Of<typeof STATE>) {
    this.#state = state;
  }

  /** A new code for the own device; `now` is in seconds since 1970. */
  static create(keys: DeviceKeys, now: number, random: Random = systemRandom): DeviceCode {
    const secret = random(SECRET_BYTES);
    const tag = tagOf(secret, keys.userId, keys.deviceId, keys.identityKey);
    return new DeviceCode({ secret, tag, createdAt: now });
  }

  /** The code that `toBytes` wrote; BadState for anything else. */
  static fromBytes(raw: Uint8Array): DeviceCode {
    return new DeviceCode(load(STATE, raw));
  }

  /** The code, in the clear: to be stored encrypted. */
  toBytes(): Uint8Array {
    return dump(STATE, this.#state);
  }

  /** The part that proves that somebody was shown the code. */
  get secret(): Uint8Array {
    return this.#state.secret;
  }

  /** Whether it was made over ten minutes ago, or in the future. */
  expired(now: number): boolean {
    const age = now - this.#state.createdAt;
    return age < 0 || age > CODE_SECONDS;
  }

  /** What is shown. */
  toString(): string {
    return base32(concat(this.#state.secret, this.#state.tag)).replace(/.{4}(?=.)/g, "$&-");
  }
}

/** The waiting device that shows this code. CodeError where none does: mistyped, or the server lies. */
export function matchCode(code: string, userId: string, waiting: Iterable<PendingDevice>): PendingDevice {
  const { secret, tag } = decoded(code);
  for (const device of waiting) {
    if (isId(device.device_id) && same(tagOf(secret, userId, device.device_id, device.identity_key), tag)) {
      return device;
    }
  }
  throw new CodeError("No device of yours that waits shows this code.");
}

/** What the matched device is sent, through a session with it alone. */
export function grant(
  account: AccountKey,
  code: string,
  userId: string,
  device: PendingDevice,
): AccountGrant {
  const { secret } = decoded(code);
  const proof = proofOf(secret, account.public, userId, device.device_id, device.identity_key);
  return { type: "account_grant", seed: account.seed, proof };
}

/**
 * The account key that a grant brings. GrantRefused where its sender was not shown the code, CodeExpired where
 * that was too long ago.
 */
export function acceptGrant(
  code: DeviceCode,
  keys: DeviceKeys,
  body: Pick<AccountGrant, "seed" | "proof">,
  now: number,
): AccountKey {
  const account = new AccountKey(body.seed);
  const expected = proofOf(code.secret, account.public, keys.userId, keys.deviceId, keys.identityKey);
  if (!same(expected, body.proof)) {
    throw new GrantRefused("An account key comes from somebody who was not shown this device's code.");
  }
  if (code.expired(now)) {
    throw new CodeExpired("This device's code was shown over ten minutes ago: show a new one.");
  }
  return account;
}

function decoded(code: string): { readonly secret: Uint8Array; readonly tag: Uint8Array } {
  const letters = code
    .toUpperCase()
    .replace(/[\s-]/g, "")
    .replace(/[018]/g, (digit) => MEANT[digit] ?? digit);
  if (letters.length !== LETTERS)
    throw new CodeError(`A device code has ${String(LETTERS)} letters and digits.`);
  const raw = base32Bytes(letters);
  if (raw === undefined) throw new CodeError("A device code has letters, and digits from 2 to 7.");
  return { secret: raw.subarray(0, SECRET_BYTES), tag: raw.subarray(SECRET_BYTES) };
}

function tagOf(secret: Uint8Array, userId: string, deviceId: string, identityKey: Uint8Array): Uint8Array {
  const about = concat(CODE_LABEL, idBytes(userId), idBytes(deviceId), identityKey);
  return hmacSha256(secret, about).subarray(0, TAG_BYTES);
}

function proofOf(
  secret: Uint8Array,
  accountKey: Uint8Array,
  userId: string,
  deviceId: string,
  identityKey: Uint8Array,
): Uint8Array {
  return hmacSha256(secret, concat(GRANT_LABEL, accountKey, idBytes(userId), idBytes(deviceId), identityKey));
}
