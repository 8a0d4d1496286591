/**
 * What is known of a user: the account key that was first seen, and the devices that its signed list names.
 *
 * The server hands out keys, and is not trusted with them. The first account key of a user is pinned (trust on
 * first use); comparing safety numbers makes it verified. From then on only devices that this key's list names
 * (listed.ts) count, whatever the server says.
 *
 * Another account key is told to the user. If the user was verified, nothing is sent to it and nothing is taken
 * from it until the user accepts the new key; no setting weakens that. Else the policy says.
 */

import { type Of, TRUTH, list, members, orNull, text, whole } from "../wire/codec.ts";
import type { Bundle, DeviceList, Identities } from "../wire/keys.ts";
import { devicesOfList } from "./account.ts";
import { checkPrekeys } from "./agreement.ts";
import { BIGGEST, KEY } from "./bodies.ts";
import { AccountKeyChanged, SenderMismatch, UnlistedDevice, Untrusted } from "./errors.ts";
import { KNOWN_DEVICE, type KnownDevice, ListedDevices } from "./listed.ts";
import { same } from "./primitives.ts";
import { dump, load } from "./state.ts";
import type { Policy, TrustEvent } from "./trust_events.ts";

const STATE = members({
  userId: text(),
  accountKey: orNull(KEY),
  verified: TRUTH,
  refused: TRUTH,
  refusedKey: orNull(KEY), // what was refused; null also where the key was taken away
  devices: list(KNOWN_DEVICE),
  listVersion: whole(0, BIGGEST), // 0: not known at all
  namedVersion: whole(0, BIGGEST), // the highest that the user's own messages have named
});

type State = Of<typeof STATE>;
export type { KnownDevice } from "./listed.ts";
export type { Policy, TrustEvent };

/** A user's pinned account key and listed devices. Of oneself, too: then `pin` comes first. */
export class KnownUser {
  readonly userId: string;
  readonly #state: State;
  #devices: ListedDevices;

  private constructor(state: State) {
    this.userId = state.userId;
    this.#state = state;
    this.#devices = new ListedDevices(state.devices, state.listVersion);
  }

  /** A user of whom nothing is known. */
  static unknown(userId: string): KnownUser {
    return new KnownUser({
      userId,
      accountKey: null,
      verified: false,
      refused: false,
      refusedKey: null,
      devices: [],
      listVersion: 0,
      namedVersion: 0,
    });
  }

  /** What `toBytes` wrote; BadState for anything else. */
  static fromBytes(raw: Uint8Array): KnownUser {
    return new KnownUser(load(STATE, raw));
  }

  /** All that is known. No secret, but what a store must not let anybody change. */
  toBytes(): Uint8Array {
    const { all: devices, version: listVersion } = this.#devices;
    return dump(STATE, { ...this.#state, devices, listVersion });
  }

  get accountKey(): Uint8Array | null {
    return this.#state.accountKey;
  }

  get verified(): boolean {
    return this.#state.verified;
  }

  get refused(): boolean {
    return this.#state.refused;
  }

  /** The account key that is refused; null also where the server has taken the key away. */
  get refusedKey(): Uint8Array | null {
    return this.#state.refusedKey;
  }

  /** All devices that are known, tombstones included. */
  get deviceIds(): string[] {
    return this.#devices.all.map((one) => one.deviceId);
  }

  get listVersion(): number {
    return this.#devices.version;
  }

  /**
   * Whether there is a newer list than the server has given out: by the older one nothing is sent, as it may name
   * a device that was removed.
   */
  get behind(): boolean {
    return this.listVersion < this.#state.namedVersion;
  }

  // what the user says

  /** Take an account key that came over a trusted way: the own one, or by a contact link. */
  pin(accountKey: Uint8Array): void {
    this.#take(accountKey);
  }

  /** Take a changed account key because the user said so. Devices are learned anew. */
  acceptAccountKey(accountKey: Uint8Array): void {
    this.#take(accountKey);
  }

  /** Mark the pinned account key as compared, or not. */
  setVerified(verified: boolean): void {
    if (verified && (this.accountKey === null || this.refused)) throw this.#changed();
    this.#state.verified = verified;
  }

  // what the server says

  /**
   * Take in what GET /keys/identity/{user_id} answered, as far as it is signed; what there is to tell.
   *
   * Nothing that the server says makes this throw; what does not hold is refused by an event.
   */
  learn(identities: Identities, policy: Policy): TrustEvent[] {
    const { userId } = this;
    const given = identities.device_list;
    let devices: ReadonlyMap<string, Uint8Array> = new Map();
    try {
      if (given !== null) devices = devicesOfList(userId, given);
    } catch (error) {
      return [{ event: "ListRefused", userId, error: untrusted(error) }];
    }
    const events = this.#learnAccountKey(given?.account_key ?? null, policy);
    if (this.refused) return events;
    if (given !== null) events.push(...this.#learnList(given, devices));
    for (const item of identities.items) {
      try {
        this.#checkListed(item.device_id, item.identity_key);
      } catch (error) {
        events.push({ event: "DeviceRefused", userId, deviceId: item.device_id, error: untrusted(error) });
      }
    }
    this.#devices.bound();
    return events;
  }

  /**
   * Whether a session may be begun by this bundle.
   *
   * Throws AccountKeyChanged, UnlistedDevice, IdentityKeyChanged, BadPrekeySignature, KemDowngrade,
   * SenderMismatch.
   */
  checkBundle(bundle: Bundle): void {
    if (bundle.user_id !== this.userId) throw new SenderMismatch("The bundle is another user's.");
    this.#checkAccepted();
    this.#checkListed(bundle.device_id, bundle.identity_key);
    checkPrekeys(bundle);
  }

  /** A listed device; UnlistedDevice, or AccountKeyChanged while a changed key is refused. */
  device(deviceId: string): KnownDevice {
    this.#checkAccepted();
    return this.listed(deviceId) ?? this.#unlisted(deviceId);
  }

  /** A device that the kept list names, whatever is refused; `undefined` for others. */
  listed(deviceId: string): KnownDevice | undefined {
    return this.#devices.listed(deviceId);
  }

  /**
   * A device that may have written a message: a listed one, or one that left the list.
   *
   * What one that left may still say is for `checkLate` to judge. UnlistedDevice, AccountKeyChanged.
   */
  writer(deviceId: string): KnownDevice {
    this.#checkAccepted();
    return this.#devices.known(deviceId) ?? this.#unlisted(deviceId);
  }

  /**
   * Refuse what a removed device says, but for late messages (`content`: what people say) from before its removal.
   *
   * UnlistedDevice. `listVersion` is the payload's.
   */
  checkLate(device: KnownDevice, listVersion: number, content: boolean, now: number): void {
    this.#devices.checkLate(device, listVersion, content, now);
  }

  /** A device of the user's has said under encryption that there is a list of this version. */
  nameList(version: number): void {
    this.#state.namedVersion = Math.max(this.#state.namedVersion, version);
  }

  /** Remember for the devices that have left the list that this was learned now, if it is news. */
  stampRemoved(now: number): void {
    this.#devices.stampRemoved(now);
  }

  /** The devices that may be encrypted to; none while a changed account key is refused. */
  currentDevices(): KnownDevice[] {
    return this.refused ? [] : this.#devices.current;
  }

  #unlisted(deviceId: string): never {
    throw new UnlistedDevice(`The device list of user ${this.userId} does not name device ${deviceId}.`);
  }

  #changed(): AccountKeyChanged {
    return new AccountKeyChanged(this.userId, this.accountKey, this.#state.refusedKey, this.verified);
  }

  #checkListed(deviceId: string, identityKey: Uint8Array): void {
    this.#devices.checkKey(deviceId, identityKey);
    this.device(deviceId);
  }

  #checkAccepted(): void {
    if (this.refused) throw this.#changed();
  }

  #take(accountKey: Uint8Array): void {
    const state = this.#state;
    if (!sameKey(accountKey, state.accountKey)) {
      this.#devices = new ListedDevices([], 0);
      state.verified = false;
      state.namedVersion = 0;
    }
    state.accountKey = accountKey;
    state.refused = false;
    state.refusedKey = null;
  }

  #learnAccountKey(accountKey: Uint8Array | null, policy: Policy): TrustEvent[] {
    const state = this.#state;
    const { userId } = this;
    const old = state.accountKey;
    if (sameKey(old, accountKey)) {
      state.refused = false;
      state.refusedKey = null;
      return [];
    }
    if (old === null) {
      if (accountKey === null) return [];
      this.#take(accountKey);
      return [{ event: "AccountKeyPinned", userId, accountKey }];
    }
    if (accountKey === null && this.listVersion === 0) return []; // pinned by a link: no list is known yet
    const wasVerified = state.verified;
    const changed = { event: "AccountKeyHasChanged", userId, old, new: accountKey, wasVerified } as const;
    if (policy === "warn" && accountKey !== null && !wasVerified) {
      this.#take(accountKey);
      return [{ ...changed, accepted: true }];
    }
    const told = state.refused && sameKey(state.refusedKey, accountKey);
    state.refused = true;
    state.refusedKey = accountKey;
    return told ? [] : [{ ...changed, accepted: false }];
  }

  #learnList(given: DeviceList, devices: ReadonlyMap<string, Uint8Array>): TrustEvent[] {
    const { userId } = this;
    try {
      return this.#devices.learn(given, devices).map((one) => ({ ...one, userId }));
    } catch (error) {
      return [{ event: "ListRefused", userId, error: untrusted(error) }];
    }
  }
}

function sameKey(one: Uint8Array | null, other: Uint8Array | null): boolean {
  return one === null || other === null ? one === other : same(one, other);
}

/** An error that says what is not trusted; any other goes on. */
function untrusted(error: unknown): Untrusted {
  if (error instanceof Untrusted) return error;
  throw error;
}
