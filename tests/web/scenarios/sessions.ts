/** Devices' keys and pairwise sessions. */

import {
  DeviceKeys,
  PeerSessions,
  type Claimed,
  decodePayload,
  encodePayload,
} from "../../../messenger/web/client/src/e2e/index.ts";
import { sha256 } from "../../../messenger/web/client/src/e2e/primitives.ts";
import { base64Bytes, hex, utf8, utf8Text } from "../../../messenger/web/client/src/wire/bytes.ts";
import type { Bundle } from "../../../messenger/web/client/src/wire/keys.ts";
import { type Draw, type Given, raw } from "./running.ts";

export interface PeerGiven {
  readonly user_id: string;
  readonly device_id: string;
  readonly identity_key: string;
}

interface PrekeyGiven {
  readonly key_id: number;
  readonly public_key: string;
  readonly signature: string;
}

export interface BundleGiven extends PeerGiven {
  readonly signed_prekey: PrekeyGiven;
  readonly one_time_prekey: Omit<PrekeyGiven, "signature"> | null;
  readonly kem_prekey: PrekeyGiven | null;
}

interface Prekey {
  readonly key_id: number;
  readonly public_key: Uint8Array;
  readonly signature?: Uint8Array;
}

/** The devices of a scenario, which other verbs need, too. */
export class Devices {
  draw: Draw = () => new Uint8Array();
  readonly #keys = new Map<string, DeviceKeys>();

  keys(device: string): DeviceKeys {
    const found = this.#keys.get(device);
    if (found === undefined) throw new Error(`no device ${device}`);
    return found;
  }

  /** What is stored is covered, too: keys are written down and read again after each change. */
  store(device: string, keys: DeviceKeys): void {
    this.#keys.set(device, DeviceKeys.fromBytes(keys.toBytes()));
  }
}

export function bundleOf(given: BundleGiven): Bundle {
  const { signed_prekey: signed, one_time_prekey: oneTime, kem_prekey: kem } = given;
  return {
    user_id: given.user_id,
    device_id: given.device_id,
    identity_key: raw(given.identity_key),
    signed_prekey: signedOf(signed),
    one_time_prekey: oneTime && {
      key_id: oneTime.key_id,
      public_key: raw(oneTime.public_key),
    },
    kem_prekey: kem && signedOf(kem),
    list_version: null,
  };
}

function signedOf(given: PrekeyGiven) {
  return {
    key_id: given.key_id,
    public_key: raw(given.public_key),
    signature: raw(given.signature),
  };
}

function prekeyOf(prekey: Prekey): Given {
  const { key_id, public_key, signature } = prekey;
  return {
    key_id,
    public_key: hex(public_key),
    signature: signature && hex(signature),
  };
}

/** The JSON of bytes. */
export function textOf(json: Uint8Array): string {
  const found = utf8Text(json);
  if (found === undefined) throw new Error("no UTF-8");
  return found;
}

/** What a state's bytes say: tests look into it where the core gives nothing away. */
export function stateOf(bytes: Uint8Array): unknown {
  return JSON.parse(textOf(bytes.subarray(1)));
}

function bytesOf(base64: string): string {
  const found = base64Bytes(base64);
  if (found === undefined) throw new Error("no base64");
  return hex(found);
}

interface SessionState {
  readonly sessions: readonly {
    readonly data: string;
    readonly sessionId: string;
    readonly beginning?: { readonly secret: string };
  }[];
}

export function sessionVerbs(devices: Devices) {
  const peers = new Map<string, PeerSessions>();

  function withPeer<T>(
    device: string,
    peer: Omit<PeerGiven, "identity_key">,
    done: (there: PeerSessions) => T,
  ): T {
    const key = `${device} ${peer.device_id}`;
    const there = peers.get(key) ?? PeerSessions.none(peer.user_id, peer.device_id);
    const made = PeerSessions.fromBytes(there.toBytes());
    const found = done(made);
    peers.set(key, made);
    return found;
  }

  return {
    device: (given: { device: string; user_id: string; device_id: string; now: number }) => {
      const keys = DeviceKeys.create(given.user_id, given.device_id, given.now, devices.draw);
      devices.store(given.device, keys);
      return {
        identity_key: hex(keys.identityKey),
        signed_prekey: prekeyOf(keys.signedPrekey()),
      };
    },

    new_signed_prekey: (given: { device: string; now: number }) => {
      const keys = devices.keys(given.device);
      const made = keys.rotateSignedPrekey(given.now, devices.draw);
      devices.store(given.device, keys);
      return { signed_prekey: prekeyOf(made) };
    },

    signed_prekey_due: (given: { device: string; now: number }) => ({
      due: devices.keys(given.device).signedPrekeyDue(given.now),
    }),

    one_time_prekeys: (given: { device: string; count: number }) => {
      const keys = devices.keys(given.device);
      const made = keys.newOneTimePrekeys(given.count, devices.draw);
      devices.store(given.device, keys);
      return { prekeys: made.map(prekeyOf) };
    },

    kem_prekeys: (given: { device: string; count: number; last_resort: boolean; now: number }) => {
      const keys = devices.keys(given.device);
      const made = keys.newKemPrekeys(given.count, given.last_resort, given.now, devices.draw);
      devices.store(given.device, keys);
      return {
        prekeys: made.prekeys.map(prekeyOf),
        last_resort: made.last_resort && prekeyOf(made.last_resort),
      };
    },

    start: (given: { device: string; bundle: BundleGiven; now: number }) =>
      withPeer(given.device, given.bundle, (there) => {
        there.start(devices.keys(given.device), bundleOf(given.bundle), given.now, devices.draw);
        const [active] = (stateOf(there.toBytes()) as SessionState).sessions;
        return {
          data: bytesOf(active?.data ?? ""),
          session_id: bytesOf(active?.sessionId ?? ""),
          secret: bytesOf(active?.beginning?.secret ?? ""),
        };
      }),

    seal: (given: { device: string; peer: PeerGiven; payload: string }) =>
      withPeer(given.device, given.peer, (there) => {
        const payload = decodePayload(utf8(given.payload));
        return {
          envelope: hex(there.seal(devices.keys(given.device), payload, devices.draw)),
        };
      }),

    seal_often: (given: { device: string; peer: PeerGiven; payload: string; times: number }) =>
      withPeer(given.device, given.peer, (there) => {
        const payload = decodePayload(utf8(given.payload));
        const made: Uint8Array[] = [];
        for (let count = 0; count < given.times; count += 1) {
          made.push(there.seal(devices.keys(given.device), payload, devices.draw));
        }
        return { sha256: hex(sha256(...made)) };
      }),

    open: (given: { device: string; peer: PeerGiven; envelope: string; said: Claimed; now: number }) =>
      withPeer(given.device, given.peer, (there) => {
        const keys = devices.keys(given.device);
        const peer = {
          userId: given.peer.user_id,
          deviceId: given.peer.device_id,
          identityKey: raw(given.peer.identity_key),
        };
        const opened = there.open(keys, peer, raw(given.envelope), given.said, given.now, devices.draw);
        if (opened.keysChanged) devices.store(given.device, keys);
        return {
          payload: textOf(encodePayload(opened.payload)),
          new_session: opened.newSession,
          missed: opened.missed,
          session_id: hex(there.sessionIds[0] ?? new Uint8Array()),
        };
      }),

    sessions: (given: { device: string; peer: PeerGiven; now: number }) =>
      withPeer(given.device, given.peer, (there) => ({
        session_ids: there.sessionIds.map(hex),
        needs_bundle: there.needsBundle(given.now),
      })),

    may_repair: (given: { device: string; peer: PeerGiven; now: number }) =>
      withPeer(given.device, given.peer, (there) => ({
        may: there.mayRepair(given.now),
      })),

    renew: (given: { device: string; peer: PeerGiven }) =>
      withPeer(given.device, given.peer, (there) => {
        there.renew();
        return {};
      }),
  };
}
