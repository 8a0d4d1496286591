/**
 * Identity keys, prekeys and bundles: what travels under /keys.
 *
 * X3DH (Signal's specification, revision 1) on curve 25519. `identity_key` is an Ed25519 public key, prekeys are
 * X25519 public keys, signatures are Ed25519 by the identity key over the prekey's bytes. PQXDH (Signal's
 * specification, revision 3) adds ML-KEM-1024 (FIPS 203) prekeys.
 */

import { COUNT, NAME, TIME, bytes, items } from "./basics.ts";
import { ID, type Of, defaulted, list, members, optional, orNull, whole } from "./codec.ts";

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const KEM_KEY_BYTES = 1_568;

const KEY_ID = whole(0, 2 ** 31 - 1);
const KEY = bytes(KEY_BYTES);
const SIGNATURE = bytes(SIGNATURE_BYTES);

/** A prekey of 32 bytes and its signature of 64. */
export const SIGNED_PREKEY = members({ key_id: KEY_ID, public_key: KEY, signature: SIGNATURE });

/** A prekey of 32 bytes that serves one first message. */
export const ONE_TIME_PREKEY = members({ key_id: KEY_ID, public_key: KEY });

/** An ML-KEM-1024 encapsulation key of 1,568 bytes, and its signature of 64. */
export const KEM_PREKEY = members({
  key_id: KEY_ID,
  public_key: bytes(KEM_KEY_BYTES),
  signature: SIGNATURE,
});

/** A device in a device list: its id and its identity key of 32 bytes. */
export const LISTED_DEVICE = members({ device_id: ID, identity_key: KEY });

/** Which devices are a user's, said by the user's own Ed25519 account key. `version` only rises. */
export const DEVICE_LIST = members({
  account_key: KEY,
  version: whole(1, 2 ** 53 - 1),
  devices: list(LISTED_DEVICE, 10),
  signature: SIGNATURE,
});

/** A device of one's own that the device list does not name yet, or not with this identity key. */
export const PENDING_DEVICE = members({
  device_id: ID,
  identity_key: KEY,
  device_name: orNull(NAME),
  created_at: TIME,
});

/** A published device and its identity key. */
export const DEVICE_IDENTITY = members({ device_id: ID, identity_key: KEY });

/** A user's device list and the identity keys of its published devices; `pending`: asked of oneself. */
export const IDENTITIES = members({
  device_list: orNull(DEVICE_LIST),
  items: list(DEVICE_IDENTITY),
  pending: optional(list(PENDING_DEVICE)),
});

/** A device's identity key, set once. */
export const IDENTITY_KEY = members({ identity_key: KEY });

/** One-time prekeys to be stored, all or none of them. */
export const ONE_TIME_PREKEYS = members({ prekeys: list(ONE_TIME_PREKEY, 100, 1) });
/** How many one-time prekeys of the device are stored now. */
export const ONE_TIME_PREKEY_COUNT = members({ one_time_prekeys: COUNT });

/** KEM prekeys to be stored, all or none of them; `last_resort` replaces the one before and stays. */
export const KEM_PREKEYS = members({
  prekeys: list(KEM_PREKEY, 100),
  last_resort: defaulted(orNull(KEM_PREKEY), null),
});
/** How many one-time KEM prekeys of the device are stored now. */
export const KEM_PREKEY_COUNT = members({ kem_prekeys: COUNT });

/** What the asking device has published. */
export const KEY_STATUS = members({
  identity_key: orNull(KEY),
  signed_prekey_id: orNull(KEY_ID),
  signed_prekey_created_at: orNull(TIME),
  one_time_prekeys: COUNT,
  kem_prekeys: COUNT,
  highest_key_id: orNull(KEY_ID),
});

/** Ask for bundles: of all devices of one user, or of named devices; exactly one of the two. */
export const CLAIM = members({ user_id: optional(ID), devices: optional(list(ID, 200, 1)) });

/** All that a first message to a device needs; `list_version` is that of its user's device list. */
export const BUNDLE = members({
  user_id: ID,
  device_id: ID,
  identity_key: KEY,
  signed_prekey: SIGNED_PREKEY,
  one_time_prekey: orNull(ONE_TIME_PREKEY),
  kem_prekey: orNull(KEM_PREKEY),
  list_version: orNull(whole(1, 2 ** 53 - 1)),
});

export const BUNDLES = items(BUNDLE);

export type SignedPrekey = Readonly<Of<typeof SIGNED_PREKEY>>;
export type OneTimePrekey = Readonly<Of<typeof ONE_TIME_PREKEY>>;
export type KemPrekey = Readonly<Of<typeof KEM_PREKEY>>;
export type DeviceList = Readonly<Of<typeof DEVICE_LIST>>;
export type PendingDevice = Readonly<Of<typeof PENDING_DEVICE>>;
export type Identities = Readonly<Of<typeof IDENTITIES>>;
export type KeyStatus = Readonly<Of<typeof KEY_STATUS>>;
export type Claim = Readonly<Of<typeof CLAIM>>;
export type Bundle = Readonly<Of<typeof BUNDLE>>;

/** KEM prekeys to be stored, all or none of them; `last_resort` replaces the one before and stays. */
export interface KemPrekeys {
  readonly prekeys: readonly KemPrekey[];
  readonly last_resort: KemPrekey | null;
}
