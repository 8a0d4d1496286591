/**
 * The form of ciphertexts on the wire: bytes, big-endian, no padding between members.
 *
 *     envelope = version (1 byte, 1) type (1 byte) rest
 *     type 1, a ratchet message:  session_id (16) ratchet
 *     type 2, a first message:    handshake ratchet
 *     type 3, group content:      chain_id (16) iteration (4) ciphertext signature (64)
 *
 *     handshake = identity_key (32, Ed25519) ephemeral_key (32, X25519) signed_prekey_id (4)
 *                 one_time_prekey_id (4) kem_prekey_id (4) [kem_ciphertext (1,568)]
 *     ratchet   = ratchet_key (32, X25519) previous (4) number (4) ciphertext
 *
 * A prekey id of 0xFFFFFFFF says that there is none; the KEM ciphertext is there exactly where the KEM prekey
 * is. A sender puts the handshake before every message until the peer has answered in the session.
 */

import { concat, readUint32, uint32 } from "../wire/bytes.ts";
import { Malformed, UnsupportedVersion } from "./errors.ts";
import { TAG_BYTES } from "./primitives.ts";

const VERSION = 1;
const RATCHET = 1;
const FIRST = 2;
const GROUP = 3;
export const ID_BYTES = 16;
const KEM_CIPHERTEXT_BYTES = 1_568;
const SIGNATURE_BYTES = 64;

const NONE = 0xffffffff;
const HANDSHAKE_BYTES = 76;
const HEADER_BYTES = 40;
const GROUP_HEAD_BYTES = 22;

/** What the peer needs to work out the session's secret. */
export interface Handshake {
  readonly identityKey: Uint8Array;
  readonly ephemeralKey: Uint8Array;
  readonly signedPrekeyId: number;
  readonly oneTimePrekeyId: number | null;
  readonly kemPrekeyId: number | null;
  /** 1,568 bytes, none without a KEM prekey. */
  readonly kemCiphertext: Uint8Array;
}

/** One Double Ratchet message. */
export interface RatchetMessage {
  readonly ratchetKey: Uint8Array;
  readonly previous: number;
  readonly number: number;
  readonly ciphertext: Uint8Array;
}

/** A pairwise envelope, taken apart: in a session that is known, or beginning one. */
export type Envelope = { readonly message: RatchetMessage } & (
  | { readonly sessionId: Uint8Array; readonly handshake: null }
  | { readonly sessionId: null; readonly handshake: Handshake }
);

/** Group content, taken apart; `head` and `ciphertext` are what is signed. */
export interface GroupContent {
  readonly chainId: Uint8Array;
  readonly iteration: number;
  readonly head: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly signature: Uint8Array;
}

/** A handshake's bytes. */
export function encodeHandshake(handshake: Handshake): Uint8Array {
  return concat(
    handshake.identityKey,
    handshake.ephemeralKey,
    uint32(handshake.signedPrekeyId),
    uint32(handshake.oneTimePrekeyId ?? NONE),
    uint32(handshake.kemPrekeyId ?? NONE),
    handshake.kemCiphertext,
  );
}

/** What stands before the ciphertext of a ratchet message, and in its associated data. */
export function ratchetHeader(ratchetKey: Uint8Array, previous: number, number: number): Uint8Array {
  return concat(ratchetKey, uint32(previous), uint32(number));
}

/** An envelope in a session that the peer knows. */
export function ratchetEnvelope(sessionId: Uint8Array, message: RatchetMessage): Uint8Array {
  return concat(Uint8Array.of(VERSION, RATCHET), sessionId, encodeRatchet(message));
}

/** An envelope that begins a session; `handshake` is encoded. */
export function firstEnvelope(handshake: Uint8Array, message: RatchetMessage): Uint8Array {
  return concat(Uint8Array.of(VERSION, FIRST), handshake, encodeRatchet(message));
}

/** What stands before the ciphertext of group content. */
export function groupHead(chainId: Uint8Array, iteration: number): Uint8Array {
  return concat(Uint8Array.of(VERSION, GROUP), chainId, uint32(iteration));
}

/** Whether an envelope bears a handshake. */
export function beginsSession(raw: Uint8Array): boolean {
  return raw[1] === FIRST;
}

/** An envelope taken apart; Malformed or UnsupportedVersion where that fails. */
export function decodeEnvelope(raw: Uint8Array): Envelope {
  const kind = kindOf(raw);
  if (kind === RATCHET) {
    const [sessionId, rest] = split(raw.subarray(2), ID_BYTES);
    return { sessionId, handshake: null, message: decodeRatchet(rest) };
  }
  if (kind !== FIRST) throw new Malformed(`An envelope is not of type ${String(kind)}.`);
  const [handshake, rest] = decodeHandshake(raw.subarray(2));
  return { sessionId: null, handshake, message: decodeRatchet(rest) };
}

/** Group content taken apart; Malformed or UnsupportedVersion where that fails. */
export function decodeGroup(raw: Uint8Array): GroupContent {
  const kind = kindOf(raw);
  if (kind !== GROUP) throw new Malformed(`Group content is not of type ${String(kind)}.`);
  const [head, rest] = split(raw, GROUP_HEAD_BYTES);
  if (rest.length < TAG_BYTES + SIGNATURE_BYTES) throw new Malformed("Group content is cut short.");
  return {
    chainId: head.subarray(2, 2 + ID_BYTES),
    iteration: readUint32(head, 2 + ID_BYTES),
    head,
    ciphertext: rest.subarray(0, -SIGNATURE_BYTES),
    signature: rest.subarray(-SIGNATURE_BYTES),
  };
}

/** The id, 16 bytes, of the sender key that group content is under. */
export function chainIdOf(content: Uint8Array): Uint8Array {
  return decodeGroup(content).chainId;
}

function encodeRatchet(message: RatchetMessage): Uint8Array {
  return concat(ratchetHeader(message.ratchetKey, message.previous, message.number), message.ciphertext);
}

function kindOf(raw: Uint8Array): number {
  const [version, kind] = raw;
  if (version === undefined || kind === undefined) throw new Malformed("The ciphertext is cut short.");
  if (version !== VERSION) {
    throw new UnsupportedVersion(
      `The ciphertext is of version ${String(version)}; this client knows version ${String(VERSION)}.`,
    );
  }
  return kind;
}

function decodeHandshake(raw: Uint8Array): [Handshake, Uint8Array] {
  const [head, after] = split(raw, HANDSHAKE_BYTES);
  const kem = readUint32(head, 72);
  const [kemCiphertext, rest] = split(after, kem === NONE ? 0 : KEM_CIPHERTEXT_BYTES);
  const oneTime = readUint32(head, 68);
  const found = {
    identityKey: head.subarray(0, 32),
    ephemeralKey: head.subarray(32, 64),
    signedPrekeyId: readUint32(head, 64),
    oneTimePrekeyId: oneTime === NONE ? null : oneTime,
    kemPrekeyId: kem === NONE ? null : kem,
    kemCiphertext,
  };
  return [found, rest];
}

function decodeRatchet(raw: Uint8Array): RatchetMessage {
  const [head, ciphertext] = split(raw, HEADER_BYTES);
  return {
    ratchetKey: head.subarray(0, 32),
    previous: readUint32(head, 32),
    number: readUint32(head, 36),
    ciphertext,
  };
}

function split(raw: Uint8Array, size: number): [Uint8Array, Uint8Array] {
  if (raw.length < size) throw new Malformed("The ciphertext is cut short.");
  return [raw.subarray(0, size), raw.subarray(size)];
}
