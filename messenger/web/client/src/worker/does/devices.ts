/** The account's devices. */

import { approveDevice, deviceCode, deviceOf, devices, removeDevice } from "../../engine/devices.ts";
import { ID, members, text } from "../../wire/codec.ts";
import type { PendingDevice } from "../../wire/keys.ts";
import type { DeviceCalls, WaitingDevice } from "../calls/devices.ts";
import { type Does, NOTHING } from "./doing.ts";

const CODE = text(200, 1);

/** What of it a person is to recognise it by. */
function shown({ device_id, device_name, created_at }: PendingDevice): WaitingDevice {
  return { device_id, device_name, created_at };
}

export const DEVICES: Does<DeviceCalls> = {
  devices: { form: NOTHING, work: (engine) => devices(engine) },
  removeDevice: {
    form: members({ deviceId: ID }),
    work: async (engine, { deviceId }) => {
      await removeDevice(engine, deviceId);
      return null;
    },
  },
  deviceCode: { form: NOTHING, work: (engine) => deviceCode(engine) },
  deviceOf: {
    form: members({ code: CODE }),
    work: async (engine, { code }) => shown(await deviceOf(engine, code)),
  },
  approveDevice: {
    form: members({ code: CODE, deviceId: ID }),
    work: async (engine, { code, deviceId }) =>
      shown(await approveDevice(engine, code, (found) => Promise.resolve(found.device_id === deviceId))),
  },
};
