/**
 * The account key: a user's own Ed25519 key, which says which devices are the user's.
 *
 * It signs the list of them, with a version that only rises, over
 *
 *     "messenger-device-list-1" 0x00 user_id version (8) then of each device: device_id identity_key (32)
 *
 * by rising device_id (docs/encryption.md, "Device lists").
 *
 * Two users compare a safety number to know that they have each other's true account keys. It is made as
 * Signal's fingerprints are: for each user SHA-512 over version (2 bytes, 0), account key, user_id (16 bytes),
 * 5,200 times over with the account key appended; six groups of five bytes of that, each modulo 100,000, are
 * 30 digits; both users' 30 digits, the smaller first.
 */

import { concat, hex, uint64 } from "../wire/bytes.ts";
import { members } from "../wire/codec.ts";
import type { DeviceList } from "../wire/keys.ts";
import { KEY } from "./bodies.ts";
import { BadDeviceList, Malformed } from "./errors.ts";
import {
  type Random,
  ed25519Holds,
  ed25519Public,
  ed25519Sign,
  idBytes,
  label,
  sha256,
  sha512,
  systemRandom,
} from "./primitives.ts";
import { dump, load } from "./state.ts";

const LIST_LABEL = label("messenger-device-list-1");
const OWN_LABEL = label("messenger-own-conversation-1");
const MAX_LISTED = 10;
const ITERATIONS = 5_200;
const FINGERPRINT_VERSION = Uint8Array.of(0, 0);
const DIGITS = 5;

const STATE = members({ seed: KEY });

/** The private half. */
export class AccountKey {
  readonly seed: Uint8Array;
  readonly public: Uint8Array;

  constructor(seed: Uint8Array) {
    this.seed = seed;
    this.public = ed25519Public(seed);
  }

  /** A new account key. */
  static create(random: Random = systemRandom): AccountKey {
    return new AccountKey(random(32));
  }

  /** The key that `toBytes` wrote; BadState for anything else. */
  static fromBytes(raw: Uint8Array): AccountKey {
    return new AccountKey(load(STATE, raw).seed);
  }

  /** The key in the clear: to be stored encrypted. */
  toBytes(): Uint8Array {
    return dump(STATE, { seed: this.seed });
  }

  /** The user's device list of this version (1 or above): identity keys (32 bytes) by device_id, at most ten. */
  signList(userId: string, version: number, devices: ReadonlyMap<string, Uint8Array>): DeviceList {
    const signature = ed25519Sign(this.seed, listed(userId, version, devices));
    const named = byId(devices).map(([device_id, identity_key]) => ({ device_id, identity_key }));
    return { account_key: this.public, version, devices: named, signature };
  }
}

/**
 * The identity keys that a list names, by device_id. BadDeviceList where it is not its account key's list of this
 * user's devices, or names more than ten, one twice, or one key for two.
 */
export function devicesOfList(userId: string, given: DeviceList): ReadonlyMap<string, Uint8Array> {
  const devices = new Map(given.devices.map((one) => [one.device_id, one.identity_key]));
  if (devices.size !== given.devices.length || devices.size > MAX_LISTED) {
    throw new BadDeviceList("A device list names a device twice, or more than ten.");
  }
  const keys = [...devices.values()];
  if (new Set(keys.map(hex)).size !== keys.length || keys.some((key) => key.length !== 32)) {
    throw new BadDeviceList("A device list names a key twice, or what is no key.");
  }
  if (!ed25519Holds(given.account_key, given.signature, readable(userId, given.version, devices))) {
    throw new BadDeviceList("A device list is not signed by its account key.");
  }
  return devices;
}

/**
 * The client_id of the conversation of a user's own devices: the first 16 bytes of SHA-256 over
 * "messenger-own-conversation-1" 0x00 user_id, as a UUID of version 8 (RFC 9562 section 5.8).
 */
export function ownConversationId(userId: string): string {
  const raw = sha256(OWN_LABEL, idBytes(userId)).subarray(0, 16);
  raw[6] = ((raw[6] ?? 0) & 0x0f) | 0x80;
  raw[8] = ((raw[8] ?? 0) & 0x3f) | 0x80;
  return idText(raw);
}

/** The id of 16 bytes. */
export function idText(raw: Uint8Array): string {
  return hex(raw).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** 60 digits in groups of five, the same whoever of the two asks. */
export function safetyNumber(
  userA: string,
  accountKeyA: Uint8Array,
  userB: string,
  accountKeyB: Uint8Array,
): string {
  const digits = [fingerprint(userA, accountKeyA), fingerprint(userB, accountKeyB)].sort().join("");
  return (digits.match(/.{5}/g) ?? []).join(" ");
}

function byId(devices: ReadonlyMap<string, Uint8Array>): [string, Uint8Array][] {
  return [...devices].sort(([one], [other]) => (one < other ? -1 : 1));
}

function listed(userId: string, version: number, devices: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const entries = byId(devices).flatMap(([deviceId, key]) => [idBytes(deviceId), key]);
  return concat(LIST_LABEL, idBytes(userId), uint64(version), ...entries);
}

function readable(userId: string, version: number, devices: ReadonlyMap<string, Uint8Array>): Uint8Array {
  try {
    return listed(userId, version, devices);
  } catch (error) {
    throw error instanceof Malformed
      ? new BadDeviceList(`A device list can't be read: ${error.message}`)
      : error;
  }
}

function fingerprint(userId: string, accountKey: Uint8Array): string {
  let digest = concat(FINGERPRINT_VERSION, accountKey, idBytes(userId));
  for (let round = 0; round < ITERATIONS; round += 1) digest = sha512(concat(digest, accountKey));
  let digits = "";
  for (let at = 0; at < 30; at += 5) {
    let group = 0; // 40 bits, so exact
    for (const byte of digest.subarray(at, at + 5)) group = group * 256 + byte;
    digits += String(group % 100_000).padStart(DIGITS, "0");
  }
  return digits;
}
