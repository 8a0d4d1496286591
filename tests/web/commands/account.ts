/** Commands about the account: how a profile of it is had, its password, its second factor, its end. */

import { account } from "../../../messenger/web/client/src/engine/index.ts";
import { copyProfile, spoiled } from "../store/copying.ts";
import { fullAfter } from "../store/world.ts";
import { type Commands, type Said, begun, engineOf, engines, place, text, time } from "./running.ts";

function credentials(said: Said) {
  const code = said["second_factor"];
  return {
    username: text(said, "username"),
    password: text(said, "password"),
    deviceName: text(said, "name"),
    lock: said["lock"] === true,
    ...(typeof said["locked_by"] === "string" ? { lockedBy: said["locked_by"] } : {}),
    ...(typeof code === "string" ? { secondFactor: () => Promise.resolve(code) } : {}),
  };
}

let whole: () => void = () => undefined;

export const ACCOUNT: Commands = {
  register: async (said) => begun(said, await account.register(place(said), credentials(said))),
  login: async (said) => begun(said, await account.login(place(said), credentials(said))),
  open: async (said) => {
    const { password } = said;
    return begun(said, await account.open(place(said), typeof password === "string" ? password : undefined));
  },
  close: async (said) => {
    const engine = engineOf(said);
    engines.delete(text(said, "profile"));
    await engine.close();
  },
  disk: (said) => {
    if (said["full"] === true) whole = fullAfter(0);
    else whole();
  },
  clock: (said) => {
    time.ahead = Number(said["ahead"]);
  },
  spoil: (said) => spoiled(text(said, "profile"), text(said, "table")),
  copy: (said) => copyProfile(text(said, "from"), text(said, "to")),
  remove: (said) => account.removeProfile(text(said, "profile")),
  logout: (said) => account.logout(engineOf(said)),
  change_password: (said) =>
    account.changePassword(engineOf(said), text(said, "current"), text(said, "password")),
  delete_account: (said) => account.deleteAccount(engineOf(said), text(said, "password")),
  reset_identity: (said) => {
    const code = said["second_factor"];
    const factor = typeof code === "string" ? { secondFactor: () => Promise.resolve(code) } : {};
    return account.resetIdentity(engineOf(said), { password: text(said, "password"), ...factor });
  },
  begin_second_factor: (said) => account.beginSecondFactor(engineOf(said), text(said, "password")),
  confirm_second_factor: (said) => account.confirmSecondFactor(engineOf(said), text(said, "code")),
  remove_second_factor: (said) => account.removeSecondFactor(engineOf(said), text(said, "password")),
};
