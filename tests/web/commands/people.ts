/** Commands about whom to believe: contacts, identities, and the devices of the own account; and about the device. */

import * as client from "../../../messenger/web/client/src/engine/index.ts";
import { heardOf, until } from "./hearing.ts";
import { type Commands, engineOf, text } from "./running.ts";

export const PEOPLE: Commands = {
  until,
  until_state: (said) =>
    engineOf(said).state === said["state"]
      ? null
      : heardOf(said, (one) => one.event === "state_changed" && one.state === said["state"]),
  state: (said) => {
    const { state, approved } = engineOf(said);
    return { state, approved };
  },
  synced: (said) => engineOf(said).synced(AbortSignal.timeout(Number(said["within"] ?? 30_000))),
  link: (said) => client.devices.ownLink(engineOf(said)),
  add_contact: (said) => client.devices.addContact(engineOf(said), text(said, "link")),
  user: (said) => engineOf(said).asking.user(text(said, "username")),
  safety_number: (said) => client.devices.safetyNumberOf(engineOf(said), text(said, "username")),
  verify: (said) => client.devices.setVerified(engineOf(said), text(said, "username"), text(said, "proof")),
  contacts: (said) => client.contacts.contacts(engineOf(said)),
  block: (said) => client.contacts.block(engineOf(said), text(said, "username")),
  unblock: (said) => client.contacts.unblock(engineOf(said), text(said, "username")),
  blocks: (said) => client.contacts.blocks(engineOf(said)),
  presence: (said) => {
    client.setPresence(engineOf(said), text(said, "status") as "online" | "away");
  },
  accept: (said) => client.devices.acceptIdentity(engineOf(said), text(said, "username")),
  code: (said) => client.devices.deviceCode(engineOf(said)),
  approve: (said) =>
    client.devices.approveDevice(engineOf(said), text(said, "code"), (device) =>
      Promise.resolve(device.device_name === (said["name"] ?? null)),
    ),
  devices: (said) => client.devices.devices(engineOf(said)),
  remove_device: (said) => client.devices.removeDevice(engineOf(said), text(said, "device_id")),
  events: (said) =>
    engineOf(said).vault.run(async (store) => {
      const found = await store.journal.after(0, 10_000);
      return Promise.all(
        found.map(async (one) =>
          one.message === undefined
            ? one
            : { ...one, message: { ...one.message, sender: await store.people.name(one.message.sender_id) } },
        ),
      );
    }),
  keys: async (said) => {
    const engine = engineOf(said);
    const account = await engine.accountKey();
    const keys = await engine.vault.run((store) => store.keys());
    return { ...engine.facts, seed: keys.seed, account: account?.seed ?? null };
  },
};
