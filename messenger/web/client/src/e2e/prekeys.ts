/**
 * The own device's keys, in the forms in which the key service takes them (`wire/keys.ts`).
 *
 * One Ed25519 identity key, whose Diffie-Hellman use is by the birational map to X25519 (RFC 7748 section 4.1).
 * Signed prekeys, rotated each week, the retired ones kept for 30 days for messages that are under way. One-time
 * prekeys and one-time ML-KEM-1024 prekeys, each deleted when the first message that used it was opened. A
 * last-resort KEM prekey, rotated like the signed one. Ids rise for each kind; KEM prekeys count together.
 *
 * Private halves are bounded: those that were handed out but never used would pile up otherwise. The oldest go
 * first; a first message that still uses one is `UnknownPrekey`, and is sent again over a new session.
 */

import { type Of, REAL, binary, list, members, optional, pair, text, whole } from "../wire/codec.ts";
import type { KemPrekey, KemPrekeys, OneTimePrekey, SignedPrekey } from "../wire/keys.ts";
import { BIGGEST, KEY } from "./bodies.ts";
import { ReplayMemoryFull, ReplayedFirstMessage, UnknownPrekey } from "./errors.ts";
import {
  type Random,
  ed25519Public,
  ed25519Sign,
  idBytes,
  kemPublic,
  same,
  systemRandom,
  x25519Public,
} from "./primitives.ts";
import { dump, load } from "./state.ts";

const WEEK = 7 * 86_400; // seconds
const RETIRED_KEPT = 30 * 86_400;
const MAX_ONE_TIME = 1_000;
const MAX_KEM = 500;
const MAX_RETIRED = 8;
const MAX_REMEMBERED = 1_000; // first messages without a one-time prekey, in all
const MAX_REMEMBERED_OF_PEER = 50;
const KEM_SEED_BYTES = 64;

const NUMBER = whole(0, BIGGEST);
const KEM_SEED = binary(KEM_SEED_BYTES); // FIPS 203, d and z

/** A signed prekey's private half; the current one has no `retiredAt`. */
const SIGNED = members({
  keyId: NUMBER,
  private: KEY,
  signature: binary(64),
  createdAt: REAL,
  retiredAt: optional(REAL),
});

const LAST_RESORT = members({ keyId: NUMBER, seed: KEM_SEED, retiredAt: optional(REAL) });

/** A first message without a one-time prekey that was opened: a replay of it would open again. */
const REMEMBERED = members({ sessionId: binary(16), deviceId: text(), signedPrekeyId: NUMBER });

const STATE = members({
  userId: text(),
  deviceId: text(),
  seed: KEY,
  nextSigned: NUMBER,
  nextOneTime: NUMBER,
  nextKem: NUMBER,
  signed: list(SIGNED),
  oneTime: list(pair(NUMBER, KEY)),
  kem: list(pair(NUMBER, KEM_SEED)),
  lastResort: list(LAST_RESORT),
  remembered: list(REMEMBERED),
});

export type SignedPair = Readonly<Of<typeof SIGNED>>;
type State = Of<typeof STATE>;

/** All private keys of the own device but the account key. Stored before what it returns is published. */
export class DeviceKeys {
  readonly userId: string;
  readonly deviceId: string;
  readonly seed: Uint8Array;
  readonly identityKey: Uint8Array;
  readonly #state: State;
  // Ids rise, so both have the oldest first.
  readonly #oneTime: Map<number, Uint8Array>;
  readonly #kem: Map<number, Uint8Array>;

  private constructor(state: State) {
    this.#state = state;
    this.#oneTime = new Map(state.oneTime);
    this.#kem = new Map(state.kem);
    this.userId = state.userId;
    this.deviceId = state.deviceId;
    this.seed = state.seed;
    this.identityKey = ed25519Public(state.seed);
  }

  /** New keys for a device, with a first signed prekey; `now` is in seconds since 1970. */
  static create(userId: string, deviceId: string, now: number, random: Random = systemRandom): DeviceKeys {
    idBytes(userId);
    idBytes(deviceId);
    const keys = new DeviceKeys({
      userId,
      deviceId,
      seed: random(32),
      nextSigned: 1,
      nextOneTime: 1,
      nextKem: 1,
      signed: [],
      oneTime: [],
      kem: [],
      lastResort: [],
      remembered: [],
    });
    keys.rotateSignedPrekey(now, random);
    return keys;
  }

  /** The keys that `toBytes` wrote; BadState for anything else. */
  static fromBytes(raw: Uint8Array): DeviceKeys {
    return new DeviceKeys(load(STATE, raw));
  }

  /** The keys, in the clear: to be stored encrypted. */
  toBytes(): Uint8Array {
    return dump(STATE, { ...this.#state, oneTime: [...this.#oneTime], kem: [...this.#kem] });
  }

  // what is published

  /** Whether peers find an ML-KEM prekey of this device. */
  get hasKem(): boolean {
    return this.#state.lastResort.length > 0;
  }

  /** The current signed prekey. */
  signedPrekey(): SignedPrekey {
    const pair = this.#current();
    return { key_id: pair.keyId, public_key: x25519Public(pair.private), signature: pair.signature };
  }

  /**
   * Whether it is time for a new signed prekey: after a week, or when many first messages came that have to be
   * remembered while it is valid.
   */
  signedPrekeyDue(now: number): boolean {
    const age = Math.abs(now - this.#current().createdAt); // of one from the future, too: a clock was wrong
    return age >= WEEK || (this.#state.remembered.length > MAX_REMEMBERED / 2 && age >= WEEK / 7);
  }

  /** A new signed prekey; those that retired over 30 days ago are forgotten, with what was remembered for them. */
  rotateSignedPrekey(now: number, random: Random = systemRandom): SignedPrekey {
    const state = this.#state;
    const made = random(32);
    const signature = ed25519Sign(this.seed, x25519Public(made));
    const pair = { keyId: state.nextSigned, private: made, signature, createdAt: now };
    state.nextSigned += 1;
    state.signed = rotated(state.signed, pair, now);
    const there = new Set(state.signed.map((one) => one.keyId));
    state.remembered = state.remembered.filter((one) => there.has(one.signedPrekeyId));
    return this.signedPrekey();
  }

  /** 1 to 100 new one-time prekeys, for POST /keys/one-time-prekeys. */
  newOneTimePrekeys(count: number, random: Random = systemRandom): OneTimePrekey[] {
    const made: OneTimePrekey[] = [];
    for (let index = 0; index < count; index += 1) {
      const keyId = this.#state.nextOneTime;
      const key = random(32);
      this.#state.nextOneTime += 1;
      this.#oneTime.set(keyId, key);
      made.push({ key_id: keyId, public_key: x25519Public(key) });
    }
    keepNewest(this.#oneTime, MAX_ONE_TIME);
    return made;
  }

  /** 0 to 100 new one-time KEM prekeys and, on wish, a new last-resort one, for POST /keys/kem-prekeys. */
  newKemPrekeys(count: number, lastResort: boolean, now: number, random: Random = systemRandom): KemPrekeys {
    const made: KemPrekey[] = [];
    for (let index = 0; index < count; index += 1) {
      const seed = random(KEM_SEED_BYTES);
      const prekey = this.#kemPrekey(seed);
      this.#kem.set(prekey.key_id, seed);
      made.push(prekey);
    }
    keepNewest(this.#kem, MAX_KEM);
    if (!lastResort) return { prekeys: made, last_resort: null };
    const seed = random(KEM_SEED_BYTES);
    const last = this.#kemPrekey(seed);
    this.#state.lastResort = rotated(this.#state.lastResort, { keyId: last.key_id, seed }, now);
    return { prekeys: made, last_resort: last };
  }

  #kemPrekey(seed: Uint8Array): KemPrekey {
    const publicKey = kemPublic(seed);
    const keyId = this.#state.nextKem;
    this.#state.nextKem += 1;
    return { key_id: keyId, public_key: publicKey, signature: ed25519Sign(this.seed, publicKey) };
  }

  #current(): SignedPair {
    const current = this.#state.signed.at(-1);
    if (current === undefined) throw new UnknownPrekey("The device has no signed prekey.");
    return current;
  }

  // what a first message uses

  /** The signed prekey of this id; UnknownPrekey where it is gone. */
  signedPair(keyId: number): SignedPair {
    const found = this.#state.signed.find((one) => one.keyId === keyId);
    if (found === undefined)
      throw new UnknownPrekey("The first message is for a signed prekey that is gone.");
    return found;
  }

  /** The one-time prekey of this id; UnknownPrekey where it was used or is gone. */
  oneTimePrivate(keyId: number): Uint8Array {
    const found = this.#oneTime.get(keyId);
    if (found === undefined) {
      throw new UnknownPrekey("The first message is for a one-time prekey that was used before, or is gone.");
    }
    return found;
  }

  /** The seed of the KEM prekey of this id, and whether it is a one-time one. */
  kemSeed(keyId: number): { readonly seed: Uint8Array; readonly oneTime: boolean } {
    const oneTime = this.#kem.get(keyId);
    if (oneTime !== undefined) return { seed: oneTime, oneTime: true };
    const last = this.#state.lastResort.find((one) => one.keyId === keyId);
    if (last === undefined) {
      throw new UnknownPrekey("The first message is for a KEM prekey that was used before, or is gone.");
    }
    return { seed: last.seed, oneTime: false };
  }

  /** Refuse a first message without a one-time prekey that was opened before, or can't be remembered. */
  checkFirst(sessionId: Uint8Array, deviceId: string): void {
    const seen = this.#state.remembered;
    if (seen.some((one) => same(one.sessionId, sessionId))) {
      throw new ReplayedFirstMessage("The server presents a first message for the second time.");
    }
    const ofDevice = seen.filter((one) => one.deviceId === deviceId).length;
    if (seen.length >= MAX_REMEMBERED || ofDevice >= MAX_REMEMBERED_OF_PEER) {
      throw new ReplayMemoryFull(
        "Too many first messages without one-time prekeys; wait for the next signed prekeys.",
      );
    }
  }

  /** A first message was opened: its one-time keys go, or it is remembered where there were none. */
  use(
    sessionId: Uint8Array,
    deviceId: string,
    signedPrekeyId: number,
    oneTimePrekeyId: number | null,
    kemPrekeyId: number | null,
  ): void {
    const spent = oneTimePrekeyId !== null && this.#oneTime.delete(oneTimePrekeyId);
    const spentKem = kemPrekeyId !== null && this.#kem.delete(kemPrekeyId);
    if (!spent && !spentKem) this.#state.remembered.push({ sessionId, deviceId, signedPrekeyId });
  }
}

function keepNewest(keys: Map<number, Uint8Array>, count: number): void {
  for (const old of keys.keys()) {
    if (keys.size <= count) return;
    keys.delete(old);
  }
}

interface Retiring {
  readonly keyId: number;
  readonly retiredAt?: number;
}

function rotated<T extends Retiring>(pairs: readonly T[], next: T, now: number): T[] {
  const retired = pairs.map((one, index) => (index === pairs.length - 1 ? { ...one, retiredAt: now } : one));
  const kept = retired.filter((one) => one.retiredAt === undefined || now - one.retiredAt < RETIRED_KEPT);
  return [...kept, next].slice(-MAX_RETIRED);
}
