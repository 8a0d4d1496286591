/** The account's devices. */

import type { ShownDevice } from "../../engine/devices.ts";
import type { PendingDevice } from "../../wire/keys.ts";

/** A device that waits: what a person is to recognise it by. */
export type WaitingDevice = Omit<PendingDevice, "identity_key">;

export interface DeviceCalls {
  devices: { asked: null; answer: readonly ShownDevice[] };
  removeDevice: { asked: { readonly deviceId: string }; answer: null };
  /** On a device that is not approved: the code to give to one that is. Its QR code holds the same. */
  deviceCode: { asked: null; answer: string };
  /** The device that shows this code: to be shown, and asked about, before it is approved. */
  deviceOf: { asked: { readonly code: string }; answer: WaitingDevice };
  /** Approve the device that shows this code, if it is the one that was asked about. */
  approveDevice: { asked: { readonly code: string; readonly deviceId: string }; answer: WaitingDevice };
}
