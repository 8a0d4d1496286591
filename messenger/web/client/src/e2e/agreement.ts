/**
 * The secret that two devices begin a session with: X3DH, and PQXDH where the peer has a KEM prekey.
 *
 * X3DH is Signal's (revision 1): curve 25519, SHA-256, Ed25519 identity keys, info `messenger-x3dh-1`. Its
 * secret, joined with that of ML-KEM-1024 where there is one (PQXDH, revision 3), goes through HKDF once more,
 * salted by a hash of all that both sides have seen, so that a session stands for exactly one handshake between
 * exactly two devices:
 *
 *     ids        = initiator's user_id, device_id, responder's user_id, device_id (16 bytes each)
 *     data       = initiator's identity key, responder's identity key (Ed25519 form), ids
 *     session_id = SHA-256("messenger-session-id-1" 0x00 data handshake), the first 16 bytes
 *     transcript = SHA-256("messenger-transcript-1" 0x00 data handshake kem_public_key)
 *     secret     = HKDF(x3dh_secret kem_secret, salt=transcript, info="messenger-session-1")
 *
 * `handshake` is its encoded form (`envelope.ts`).
 */

import { concat, utf8 } from "../wire/bytes.ts";
import type { Bundle } from "../wire/keys.ts";
import { type Handshake, ID_BYTES, encodeHandshake } from "./envelope.ts";
import { BadPrekeySignature, KemDowngrade, UnusableKey } from "./errors.ts";
import type { DeviceKeys } from "./prekeys.ts";
import {
  type Random,
  ed25519Holds,
  hkdf,
  idBytes,
  kemDecapsulate,
  kemEncapsulate,
  kemPublic,
  label,
  sha256,
  systemRandom,
  x25519Of,
  x25519PrivateOf,
  x25519Public,
  x25519Shared,
} from "./primitives.ts";

const X3DH_INFO = utf8("messenger-x3dh-1");
const SESSION_INFO = utf8("messenger-session-1");
const SESSION_ID_LABEL = label("messenger-session-id-1");
const TRANSCRIPT_LABEL = label("messenger-transcript-1");
const BEFORE_SECRETS = new Uint8Array(32).fill(0xff);

/** What a handshake comes to, the same on both sides. */
export interface Agreed {
  readonly sessionId: Uint8Array;
  readonly secret: Uint8Array;
  readonly data: Uint8Array;
}

/** A device of a peer, by its ids. */
export interface Peer {
  readonly userId: string;
  readonly deviceId: string;
}

/**
 * The secret for a session with a bundle's device. BadPrekeySignature, KemDowngrade, UnusableKey.
 *
 * Whether the bundle's identity key is the device's is for `KnownUser.checkBundle` to say.
 */
export function initiate(
  keys: DeviceKeys,
  bundle: Bundle,
  random: Random = systemRandom,
): { readonly agreed: Agreed; readonly handshake: Uint8Array } {
  const kem = checkPrekeys(bundle);
  const { signed_prekey: signed, one_time_prekey: oneTime } = bundle;
  const ephemeral = random(32);
  const secrets = [
    usable(x25519Shared(x25519PrivateOf(keys.seed), signed.public_key)),
    usable(x25519Shared(ephemeral, usable(x25519Of(bundle.identity_key)))),
    usable(x25519Shared(ephemeral, signed.public_key)),
  ];
  if (oneTime !== null) secrets.push(usable(x25519Shared(ephemeral, oneTime.public_key)));
  const encapsulated = usable(kemEncapsulate(kem.public_key, random(32)));
  const handshake = encodeHandshake({
    identityKey: keys.identityKey,
    ephemeralKey: x25519Public(ephemeral),
    signedPrekeyId: signed.key_id,
    oneTimePrekeyId: oneTime === null ? null : oneTime.key_id,
    kemPrekeyId: kem.key_id,
    kemCiphertext: encapsulated.ciphertext,
  });
  const data = concat(
    keys.identityKey,
    bundle.identity_key,
    idsOf(keys),
    idsOf({ userId: bundle.user_id, deviceId: bundle.device_id }),
  );
  return { agreed: agreedOn(data, handshake, secrets, encapsulated.secret, kem.public_key), handshake };
}

/** The id of the session that a peer's handshake begins; works out no secret. */
export function sessionIdFor(keys: DeviceKeys, peer: Peer, handshake: Handshake): Uint8Array {
  return sessionIdOf(responderData(keys, peer, handshake), encodeHandshake(handshake));
}

/**
 * The secret of a handshake that a peer's device began, and the private signed prekey it is for.
 *
 * Throws UnknownPrekey for a prekey that is gone, UnusableKey for keys of small order, KemDowngrade without KEM.
 * Nothing is used up.
 */
export function respond(
  keys: DeviceKeys,
  peer: Peer,
  handshake: Handshake,
): { readonly agreed: Agreed; readonly signedPrekey: Uint8Array } {
  if (handshake.kemPrekeyId === null) throw withoutKem();
  const { private: signed } = keys.signedPair(handshake.signedPrekeyId);
  const oneTime = handshake.oneTimePrekeyId === null ? null : keys.oneTimePrivate(handshake.oneTimePrekeyId);
  const { seed } = keys.kemSeed(handshake.kemPrekeyId);
  const kemSecret = kemDecapsulate(seed, handshake.kemCiphertext);
  const { ephemeralKey } = handshake;
  const secrets = [
    usable(x25519Shared(signed, usable(x25519Of(handshake.identityKey)))),
    usable(x25519Shared(x25519PrivateOf(keys.seed), ephemeralKey)),
    usable(x25519Shared(signed, ephemeralKey)),
  ];
  if (oneTime !== null) secrets.push(usable(x25519Shared(oneTime, ephemeralKey)));
  const data = responderData(keys, peer, handshake);
  const agreed = agreedOn(data, encodeHandshake(handshake), secrets, kemSecret, kemPublic(seed));
  return { agreed, signedPrekey: signed };
}

/**
 * The bundle's KEM prekey. BadPrekeySignature unless the bundle's identity key has signed its prekeys;
 * KemDowngrade without a KEM prekey, which every device has.
 */
export function checkPrekeys(bundle: Bundle): NonNullable<Bundle["kem_prekey"]> {
  const { identity_key: identity, signed_prekey: signed, kem_prekey: kem } = bundle;
  if (!ed25519Holds(identity, signed.signature, signed.public_key)) {
    throw new BadPrekeySignature(`The signed prekey of device ${bundle.device_id} is not its own.`);
  }
  if (kem === null) {
    throw new KemDowngrade(`The bundle of device ${bundle.device_id} lacks the ML-KEM prekey that it has.`);
  }
  if (!ed25519Holds(identity, kem.signature, kem.public_key)) {
    throw new BadPrekeySignature(`The KEM prekey of device ${bundle.device_id} is not its own.`);
  }
  return kem;
}

/** The refusal of a handshake that names no KEM prekey. */
export function withoutKem(): KemDowngrade {
  return new KemDowngrade("A handshake came without ML-KEM, which every device has.");
}

function responderData(keys: DeviceKeys, peer: Peer, handshake: Handshake): Uint8Array {
  return concat(handshake.identityKey, keys.identityKey, idsOf(peer), idsOf(keys));
}

function idsOf(device: Peer): Uint8Array {
  return concat(idBytes(device.userId), idBytes(device.deviceId));
}

function sessionIdOf(data: Uint8Array, handshake: Uint8Array): Uint8Array {
  return sha256(SESSION_ID_LABEL, data, handshake).subarray(0, ID_BYTES);
}

function agreedOn(
  data: Uint8Array,
  handshake: Uint8Array,
  secrets: readonly Uint8Array[],
  kemSecret: Uint8Array,
  kemKey: Uint8Array,
): Agreed {
  const x3dh = hkdf(concat(BEFORE_SECRETS, ...secrets), X3DH_INFO);
  const transcript = sha256(TRANSCRIPT_LABEL, data, handshake, kemKey);
  const secret = hkdf(concat(x3dh, kemSecret), SESSION_INFO, 32, transcript);
  return { sessionId: sessionIdOf(data, handshake), secret, data };
}

function usable<T>(found: T | undefined): T {
  if (found === undefined) throw new UnusableKey("The other device's keys can't be worked with.");
  return found;
}
