/**
 * The few primitives that everything here is made of, and nothing else uses. The only module that knows who
 * implements them.
 *
 * HKDF and HMAC with SHA-256 (RFC 5869, RFC 2104), Ed25519 (RFC 8032), X25519 (RFC 7748), ML-KEM-1024
 * (FIPS 203), AES-256-GCM-SIV (RFC 8452), Argon2id (RFC 9106). Every use has its own label that begins with
 * `messenger-` and ends in a version.
 *
 * All is synchronous, since a transaction of the browser's database ends where something else is waited for;
 * so nothing of WebCrypto, which is not, is used here.
 */

import { gcmsiv } from "@noble/ciphers/aes.js";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { argon2id } from "@noble/hashes/argon2.js";
import { expand, extract } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 as hash256, sha512 as hash512 } from "@noble/hashes/sha2.js";
import { ml_kem1024 } from "@noble/post-quantum/ml-kem.js";

import { concat, hex, hexBytes, utf8 } from "../wire/bytes.ts";
import { isId } from "../wire/codec.ts";
import { AuthenticationFailed, Malformed } from "./errors.ts";

/** So many random bytes, at most 65,536. */
export type Random = (count: number) => Uint8Array;

export const TAG_BYTES = 16;
const ZEROS = new Uint8Array(32);

/** Random bytes of the system's. */
export const systemRandom: Random = (count) => crypto.getRandomValues(new Uint8Array(count));

/** A label of ours with the zero byte that ends it. */
export function label(text: string): Uint8Array {
  return utf8(`${text}\0`);
}

/** HKDF-SHA-256; the salt is 32 zero bytes unless given. */
export function hkdf(
  secret: Uint8Array,
  info: Uint8Array,
  length = 32,
  salt: Uint8Array = ZEROS,
): Uint8Array {
  return expand(hash256, extract(hash256, secret, salt), info, length);
}

/** HMAC-SHA-256, 32 bytes. */
export function hmacSha256(key: Uint8Array, text: Uint8Array): Uint8Array {
  return hmac(hash256, key, text);
}

/** SHA-256 of the parts joined. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const digest = new Sha256();
  for (const part of parts) digest.update(part);
  return digest.digest();
}

export function sha512(text: Uint8Array): Uint8Array {
  return hash512(text);
}

/** SHA-256 of what comes bit by bit. */
export class Sha256 {
  readonly #state = hash256.create();

  update(part: Uint8Array): void {
    this.#state.update(part);
  }

  /** The digest so far. */
  digest(): Uint8Array {
    return this.#state.clone().digest();
  }
}

/** Whether two byte strings are equal; for equal lengths the time does not depend on where they differ. */
export function same(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  let difference = 0;
  for (let at = 0; at < one.length; at += 1) difference |= (one[at] ?? 0) ^ (other[at] ?? 0);
  return difference === 0;
}

/** AES-256-GCM-SIV. */
export function seal(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  associated?: Uint8Array,
): Uint8Array {
  return gcmsiv(key, nonce, associated).encrypt(plaintext);
}

/** What `seal` sealed, `undefined` where it did not. */
export function open(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  associated?: Uint8Array,
): Uint8Array | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  try {
    return gcmsiv(key, nonce, associated).decrypt(sealed);
  } catch {
    return undefined;
  }
}

/** AES-256-GCM-SIV under a key that seals this one message: key and nonce are HKDF's of `key` and `info`. */
export function sealOnce(
  key: Uint8Array,
  info: Uint8Array,
  plaintext: Uint8Array,
  associated: Uint8Array,
): Uint8Array {
  const material = hkdf(key, info, 44);
  return seal(material.subarray(0, 32), material.subarray(32), plaintext, associated);
}

/** What `sealOnce` sealed; AuthenticationFailed where it did not. */
export function openOnce(
  key: Uint8Array,
  info: Uint8Array,
  ciphertext: Uint8Array,
  associated: Uint8Array,
): Uint8Array {
  const material = hkdf(key, info, 44);
  const plaintext = open(material.subarray(0, 32), material.subarray(32), ciphertext, associated);
  if (plaintext === undefined)
    throw new AuthenticationFailed("The message was changed, or is for another key.");
  return plaintext;
}

/** The public key of a seed of 32 bytes. */
export function ed25519Public(seed: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(seed);
}

/** The signature, 64 bytes. */
export function ed25519Sign(seed: Uint8Array, text: Uint8Array): Uint8Array {
  return ed25519.sign(text, seed);
}

/**
 * Whether `signature` is the key's over `text`; false too for what is no key.
 *
 * RFC 8032 section 5.1.7 without the cofactor, as docs/encryption.md has it ("Primitives"): key and R in their
 * canonical form, a key that is not of small order, S below the order. The library's own check is with the
 * cofactor even where it is strict (`{zip215: false}`), and so takes signatures that other clients refuse.
 */
export function ed25519Holds(publicKey: Uint8Array, signature: Uint8Array, text: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const key = verifyingKey(publicKey);
  const s = littleEndian(signature.subarray(32));
  if (key === undefined || s >= ORDER) return false;
  const r = signature.subarray(0, 32);
  const k = littleEndian(sha512(concat(r, publicKey, text))) % ORDER;
  const expected = ed25519.Point.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(k));
  return same(expected.toBytes(), r);
}

/** The public key of 32 private bytes. */
export function x25519Public(privateKey: Uint8Array): Uint8Array {
  return x25519.getPublicKey(privateKey);
}

/** What two X25519 keys come to; `undefined` where that is zeros, or where the public key is none. */
export function x25519Shared(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  try {
    return x25519.getSharedSecret(privateKey, publicKey);
  } catch {
    return undefined;
  }
}

/** An Ed25519 seed's private half for X25519: the first 32 bytes of SHA-512, which X25519 clamps. */
export function x25519PrivateOf(seed: Uint8Array): Uint8Array {
  return sha512(seed).subarray(0, 32);
}

/**
 * The X25519 form of an Ed25519 key, by the birational map of RFC 7748 section 4.1; `undefined` where that is
 * no canonical encoding of a point of prime order.
 */
export function x25519Of(publicKey: Uint8Array): Uint8Array | undefined {
  const key = edwardsPoint(publicKey);
  if (key === undefined || key.isSmallOrder() || !key.isTorsionFree()) return undefined;
  return ed25519.utils.toMontgomery(publicKey);
}

/** The encapsulation key, 1,568 bytes, of a seed of 64 bytes (d, z). */
export function kemPublic(seed: Uint8Array): Uint8Array {
  return ml_kem1024.keygen(seed).publicKey;
}

/** Secret (32 bytes) and ciphertext (1,568) for an encapsulation key by 32 random bytes; `undefined` for no key. */
export function kemEncapsulate(
  publicKey: Uint8Array,
  random: Uint8Array,
): { readonly secret: Uint8Array; readonly ciphertext: Uint8Array } | undefined {
  try {
    const made = ml_kem1024.encapsulate(publicKey, random);
    return { secret: made.sharedSecret, ciphertext: made.cipherText };
  } catch {
    return undefined;
  }
}

/** The secret of a ciphertext of 1,568 bytes; another one, which nobody knows, for a ciphertext that was changed. */
export function kemDecapsulate(seed: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  return ml_kem1024.decapsulate(ciphertext, ml_kem1024.keygen(seed).secretKey);
}

/** Argon2id, version 0x13, 32 bytes: over a second of work at today's parameters. `memory` in KiB. */
export function argon2(
  password: Uint8Array,
  salt: Uint8Array,
  memory: number,
  passes: number,
  lanes: number,
): Uint8Array {
  return argon2id(password, salt, { m: memory, t: passes, p: lanes, dkLen: 32, version: 0x13 });
}

/** An id's 16 bytes; Malformed for anything else, other spellings of a UUID too. */
export function idBytes(text: string): Uint8Array {
  const raw = isId(text) ? hexBytes(text.replaceAll("-", "")) : undefined;
  if (raw === undefined) throw new Malformed("An id is no UUID in lower case.");
  return raw;
}

const ORDER = ed25519.Point.Fn.ORDER;

type EdwardsPoint = InstanceType<typeof ed25519.Point>;

const TABLE_FROM = 4; // uses of a key; a table takes as long to make as it saves in some eight
const TABLE_BITS = 5; // 330 KB each
const MAX_TABLES = 16;

/** Keys that were used to verify, the one that was used last at the end: a group's chains are used again and again. */
const verifying = new Map<string, { readonly key: EdwardsPoint; readonly uses: number }>();

/** The point of a canonical encoding that is not of small order. */
function verifyingKey(raw: Uint8Array): EdwardsPoint | undefined {
  const name = hex(raw);
  const known = verifying.get(name);
  const key = known?.key ?? edwardsPoint(raw);
  if (key === undefined || key.isSmallOrder()) return undefined;
  const uses = (known?.uses ?? 0) + 1;
  if (uses === TABLE_FROM) key.precompute(TABLE_BITS, false);
  verifying.delete(name);
  verifying.set(name, { key, uses });
  for (const oldest of verifying.keys()) {
    if (verifying.size <= MAX_TABLES) break;
    verifying.delete(oldest);
  }
  return key;
}

/** The point of a canonical encoding. */
function edwardsPoint(raw: Uint8Array): EdwardsPoint | undefined {
  try {
    return ed25519.Point.fromBytes(raw, false);
  } catch {
    return undefined;
  }
}

function littleEndian(raw: Uint8Array): bigint {
  let number = 0n;
  for (let at = raw.length - 1; at >= 0; at -= 1) number = (number << 8n) | BigInt(raw[at] ?? 0);
  return number;
}
