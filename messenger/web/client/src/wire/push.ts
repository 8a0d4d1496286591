/** Wake-ups for devices that are away, by Web Push (RFC 8030, 8291, 8292). */

import { bytes } from "./basics.ts";
import { type Of, members, orNull, text } from "./codec.ts";

const ENDPOINT = text(2_048);
/** A P-256 public key, uncompressed. */
const POINT = bytes(65);

/** Where a device is to be woken: what its push service gave it, and its keys. */
export const PUSH_TARGET = members({ endpoint: ENDPOINT, p256dh: POINT, auth: bytes(16) });

/** The key that signs wake-ups, and the asking device's endpoint; null where there is none. */
export const PUSH_STATE = members({ vapid_key: orNull(POINT), endpoint: orNull(ENDPOINT) });

export type PushTarget = Readonly<Of<typeof PUSH_TARGET>>;
export type PushState = Readonly<Of<typeof PUSH_STATE>>;
