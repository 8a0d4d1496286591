/** Account keys, device lists, links, codes, and how a password is derived. */

import {
  AccountKey,
  DeviceCode,
  type Kdf,
  KnownUser,
  type Policy,
  type TrustEvent,
  acceptGrant,
  contactLink,
  fitsContact,
  grant,
  judge,
  matchCode,
  ownConversationId,
  readContactLink,
  safetyNumber,
} from "../../../messenger/web/client/src/e2e/index.ts";
import { reasonOf } from "../../../messenger/web/client/src/engine/naming.ts";
import { hex } from "../../../messenger/web/client/src/wire/bytes.ts";
import type { DeviceList, PendingDevice } from "../../../messenger/web/client/src/wire/keys.ts";
import { type Given, raw } from "./running.ts";
import { type BundleGiven, type Devices, bundleOf } from "./sessions.ts";

interface DeviceGiven {
  readonly device_id: string;
  readonly identity_key: string;
}

interface ListGiven {
  readonly account_key: string;
  readonly version: number;
  readonly devices: readonly DeviceGiven[];
  readonly signature: string;
}

type KdfGiven = Omit<Kdf, "salt"> & { readonly salt: string };

interface UserGiven {
  readonly user_id: string;
  readonly account_key: string;
}

function deviceOf(given: DeviceGiven) {
  return { device_id: given.device_id, identity_key: raw(given.identity_key) };
}

function listOf(given: ListGiven): DeviceList {
  return {
    account_key: raw(given.account_key),
    version: given.version,
    devices: given.devices.map(deviceOf),
    signature: raw(given.signature),
  };
}

function waitingOf(given: DeviceGiven): PendingDevice {
  return { ...deviceOf(given), device_name: null, created_at: "" };
}

function kdfOf(given: KdfGiven | null): Kdf | null {
  return given && { ...given, salt: raw(given.salt) };
}

function toldOf(told: TrustEvent): Given {
  switch (told.event) {
    case "AccountKeyPinned":
      return { event: told.event, account_key: hex(told.accountKey) };
    case "AccountKeyHasChanged":
      return {
        event: told.event,
        old: hex(told.old),
        new: told.new && hex(told.new),
        was_verified: told.wasVerified,
        accepted: told.accepted,
      };
    case "DeviceAdded":
    case "DeviceRemoved":
      return { event: told.event, device_id: told.deviceId };
    case "DeviceRefused":
      return {
        event: told.event,
        device_id: told.deviceId,
        error: told.error.name,
        word: reasonOf(told.error),
      };
    case "ListRefused":
      return {
        event: told.event,
        error: told.error.name,
        word: reasonOf(told.error),
      };
  }
}

export function trustVerbs(devices: Devices) {
  const accounts = new Map<string, AccountKey>();
  const users = new Map<string, KnownUser>();
  const codes = new Map<string, DeviceCode>();

  function accountOf(name: string): AccountKey {
    const found = accounts.get(name);
    if (found === undefined) throw new Error(`no account ${name}`);
    return found;
  }

  function known(userId: string): KnownUser {
    const found = KnownUser.fromBytes((users.get(userId) ?? KnownUser.unknown(userId)).toBytes());
    users.set(userId, found);
    return found;
  }

  function standing(user: KnownUser): Given {
    return {
      account_key: user.accountKey && hex(user.accountKey),
      verified: user.verified,
      refused: user.refused,
      version: user.listVersion,
      behind: user.behind,
      devices: user
        .currentDevices()
        .map((one) => one.deviceId)
        .sort(),
    };
  }

  function changing(userId: string, change: (user: KnownUser) => void): Given {
    const user = known(userId);
    change(user);
    return standing(user);
  }

  return {
    account: (given: { account: string }) => {
      const made = AccountKey.create(devices.draw);
      accounts.set(given.account, AccountKey.fromBytes(made.toBytes()));
      return { account_key: hex(made.public) };
    },

    sign_list: (given: {
      account: string;
      user_id: string;
      version: number;
      devices: Record<string, string>;
    }) => {
      const named = new Map(Object.entries(given.devices).map(([id, key]) => [id, raw(key)]));
      const signed = accountOf(given.account).signList(given.user_id, given.version, named);
      const list = {
        account_key: hex(signed.account_key),
        version: signed.version,
        devices: signed.devices.map((one) => ({
          ...one,
          identity_key: hex(one.identity_key),
        })),
        signature: hex(signed.signature),
      };
      return { list };
    },

    learn: (given: {
      user_id: string;
      device_list: ListGiven | null;
      items: DeviceGiven[];
      policy: Policy;
      now: number;
    }) => {
      const user = known(given.user_id);
      const identities = {
        device_list: given.device_list && listOf(given.device_list),
        items: given.items.map(deviceOf),
      };
      const told = user.learn(identities, given.policy).map(toldOf);
      user.stampRemoved(given.now);
      return { told, ...standing(user) };
    },

    pin: (given: UserGiven) =>
      changing(given.user_id, (user) => {
        user.pin(raw(given.account_key));
      }),

    accept: (given: UserGiven) =>
      changing(given.user_id, (user) => {
        user.acceptAccountKey(raw(given.account_key));
      }),

    verify: (given: { user_id: string; verified: boolean }) =>
      changing(given.user_id, (user) => {
        user.setVerified(given.verified);
      }),

    name_list: (given: { user_id: string; version: number }) =>
      changing(given.user_id, (user) => {
        user.nameList(given.version);
      }),

    check_bundle: (given: { user_id: string; bundle: BundleGiven }) => {
      known(given.user_id).checkBundle(bundleOf(given.bundle));
      return {};
    },

    listed: (given: { user_id: string; device_id: string }) => ({
      identity_key: hex(known(given.user_id).device(given.device_id).identityKey),
    }),

    wrote: (given: {
      user_id: string;
      device_id: string;
      list_version: number;
      content: boolean;
      now: number;
    }) => {
      const user = known(given.user_id);
      user.checkLate(user.writer(given.device_id), given.list_version, given.content, given.now);
      return {};
    },

    // numbers, links, codes

    safety_number: ({ a, b }: { a: UserGiven; b: UserGiven }) => ({
      digits: safetyNumber(a.user_id, raw(a.account_key), b.user_id, raw(b.account_key)),
    }),

    own_conversation: (given: { user_id: string }) => ({
      client_id: ownConversationId(given.user_id),
    }),

    link: (given: UserGiven & { server: string; username: string }) => ({
      link: contactLink(given.server, given.username, given.user_id, raw(given.account_key)),
    }),

    read_link: (given: UserGiven & { link: string }) => {
      const code = readContactLink(given.link);
      const fits = fitsContact(code, given.user_id, raw(given.account_key));
      return {
        server: code.server,
        username: code.username,
        user_id: code.userId,
        fits,
      };
    },

    show_code: (given: { device: string; now: number }) => {
      const made = DeviceCode.create(devices.keys(given.device), given.now, devices.draw);
      codes.set(given.device, DeviceCode.fromBytes(made.toBytes()));
      return { code: made.toString() };
    },

    match_code: (given: { code: string; user_id: string; waiting: DeviceGiven[] }) => ({
      device_id: matchCode(given.code, given.user_id, given.waiting.map(waitingOf)).device_id,
    }),

    grant: (given: { account: string; code: string; user_id: string; device: DeviceGiven }) => {
      const made = grant(accountOf(given.account), given.code, given.user_id, waitingOf(given.device));
      return { seed: hex(made.seed), proof: hex(made.proof) };
    },

    take_grant: (given: { device: string; seed: string; proof: string; now: number }) => {
      const code = codes.get(given.device);
      if (code === undefined) throw new Error(`no code of ${given.device}`);
      const body = { seed: raw(given.seed), proof: raw(given.proof) };
      const account = acceptGrant(code, devices.keys(given.device), body, given.now);
      return { account_key: hex(account.public) };
    },

    judge_kdf: (given: { kdf: KdfGiven | null; known: KdfGiven | null; allow_bare: boolean }) => ({
      derived: judge(kdfOf(given.kdf), kdfOf(given.known), given.allow_bare) !== null,
    }),
  };
}
