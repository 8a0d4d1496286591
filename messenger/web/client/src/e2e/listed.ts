/**
 * The devices that a user's signed list names, and those that it has named.
 *
 * Of the lists the one with the highest version counts: a lower one is refused, and so is another one of the same
 * version. A device that left the list is kept as a tombstone: nothing is encrypted to it. A device's identity key
 * never changes.
 */

import { type Of, REAL, TRUTH, members, optional, text, whole } from "../wire/codec.ts";
import type { DeviceList } from "../wire/keys.ts";
import { BIGGEST, KEY } from "./bodies.ts";
import { BadDeviceList, IdentityKeyChanged, OldDeviceList, UnlistedDevice } from "./errors.ts";
import { same } from "./primitives.ts";

const LATE_WITHIN = 86_400; // seconds after a removal was learned that late messages are taken
const MAX_DEVICES = 100; // of a user, removed ones included; those that are removed are forgotten first

/**
 * A device that the account key's list names, or has named (`listed` false).
 *
 * `removedAt` is the version of the first list without it, `removedOn` when this device learned of that, in
 * seconds since 1970.
 */
export const KNOWN_DEVICE = members({
  deviceId: text(),
  identityKey: KEY,
  listed: TRUTH,
  removedAt: optional(whole(1, BIGGEST)),
  removedOn: optional(REAL),
});

export type KnownDevice = Readonly<Of<typeof KNOWN_DEVICE>>;

/** What has become of a device by a new list. */
export interface DeviceChange {
  readonly event: "DeviceAdded" | "DeviceRemoved";
  readonly deviceId: string;
}

export class ListedDevices {
  readonly #all: Map<string, KnownDevice>;
  #version: number;

  /** `version` is the list's; 0: none is known at all. */
  constructor(devices: readonly KnownDevice[], version: number) {
    this.#all = new Map(devices.map((one) => [one.deviceId, one]));
    this.#version = version;
  }

  get version(): number {
    return this.#version;
  }

  /** All that are known, tombstones included. */
  get all(): KnownDevice[] {
    return [...this.#all.values()];
  }

  get current(): KnownDevice[] {
    return this.all.filter((one) => one.listed);
  }

  /** A device that is known, tombstones included. */
  known(deviceId: string): KnownDevice | undefined {
    return this.#all.get(deviceId);
  }

  /** A device that the list names. */
  listed(deviceId: string): KnownDevice | undefined {
    const device = this.#all.get(deviceId);
    return device?.listed === true ? device : undefined;
  }

  /** IdentityKeyChanged where a device that is known has another key than this. */
  checkKey(deviceId: string, identityKey: Uint8Array): void {
    const device = this.#all.get(deviceId);
    if (device !== undefined && !same(device.identityKey, identityKey)) {
      throw new IdentityKeyChanged(`The identity key of device ${deviceId} has changed.`);
    }
  }

  /**
   * Refuse what a removed device says, but for late messages from before its removal. UnlistedDevice.
   *
   * `listVersion` is the payload's, and a thief may go on to say the old one: so only `content` is taken (what
   * people say, nothing that devices act on), and within a day of when the removal was learned.
   */
  checkLate(device: KnownDevice, listVersion: number, content: boolean, now: number): void {
    if (device.listed) return;
    const late = device.removedAt !== undefined && listVersion < device.removedAt;
    if (!late || !content || now - (device.removedOn ?? 0) >= LATE_WITHIN) {
      throw new UnlistedDevice(`Device ${device.deviceId} was removed by its user.`);
    }
  }

  /** Take a list whose signature holds, with its devices. OldDeviceList, BadDeviceList, IdentityKeyChanged. */
  learn(given: DeviceList, devices: ReadonlyMap<string, Uint8Array>): DeviceChange[] {
    this.#checkNewer(given.version, devices);
    const changes: DeviceChange[] = [];
    for (const [deviceId, identityKey] of devices) {
      if (this.listed(deviceId) !== undefined) continue;
      this.#all.set(deviceId, { deviceId, identityKey, listed: true });
      changes.push({ event: "DeviceAdded", deviceId });
    }
    for (const { deviceId, identityKey, listed } of this.#all.values()) {
      if (!listed || devices.has(deviceId)) continue;
      this.#all.set(deviceId, { deviceId, identityKey, listed: false, removedAt: given.version });
      changes.push({ event: "DeviceRemoved", deviceId });
    }
    this.#version = given.version;
    return changes;
  }

  /** Remember for the devices that have left the list that this was learned now, if it is news. */
  stampRemoved(now: number): void {
    for (const device of this.#all.values()) {
      if (!device.listed && device.removedOn === undefined) {
        this.#all.set(device.deviceId, { ...device, removedOn: now });
      }
    }
  }

  /** Forget what is too much. */
  bound(): void {
    const excess = this.#all.size - MAX_DEVICES;
    if (excess <= 0) return;
    // Sorting is stable: removed ones first, and among them those that were seen first.
    const order = this.all.sort((one, other) => Number(one.listed) - Number(other.listed));
    for (const device of order.slice(0, excess)) this.#all.delete(device.deviceId);
  }

  #checkNewer(version: number, devices: ReadonlyMap<string, Uint8Array>): void {
    if (version < this.#version) {
      throw new OldDeviceList(
        `The server gives out version ${String(version)} of a list; ${String(this.#version)} is known.`,
      );
    }
    if (version === this.#version) {
      const standing = this.current;
      if (standing.length !== devices.size || standing.some((one) => !devices.has(one.deviceId))) {
        throw new BadDeviceList(`There are two device lists of version ${String(version)}.`);
      }
    }
    for (const [deviceId, identityKey] of devices) this.checkKey(deviceId, identityKey);
  }
}
