/** What trust.ts tells of a user's keys and devices, and what it does about them. */

import type { Untrusted } from "./errors.ts";
import type { DeviceChange } from "./listed.ts";

/**
 * What is done when the account key of a user who was not verified has changed: tell the user and go on, or send
 * and read nothing until the user accepts the new key.
 */
export type Policy = "warn" | "refuse";

export type TrustEvent = { readonly userId: string } & (
  | { readonly event: "AccountKeyPinned"; readonly accountKey: Uint8Array }
  | {
      /** `accepted` by the policy, or refused. */
      readonly event: "AccountKeyHasChanged";
      readonly old: Uint8Array;
      readonly new: Uint8Array | null;
      readonly wasVerified: boolean;
      readonly accepted: boolean;
    }
  | DeviceChange
  /** The server lists a device that its user's list does not name, or not with this key. */
  | { readonly event: "DeviceRefused"; readonly deviceId: string; readonly error: Untrusted }
  /** A device list does not hold, or is older than the one that is known. */
  | { readonly event: "ListRefused"; readonly error: Untrusted }
);
