/** The forms of calls that are about the account; the host does them, since they change which engine there is. */

import { TRUTH, members, optional, text } from "../../wire/codec.ts";
import type { AccountCalls } from "../calls/account.ts";
import { type Form, NOTHING, PASSWORD, USERNAME } from "./doing.ts";

const credentials = {
  username: USERNAME,
  password: PASSWORD,
  deviceName: optional(text(100)),
  lock: optional(TRUTH),
};

export const ACCOUNT: { readonly [M in keyof AccountCalls]: Form<AccountCalls[M]["asked"]> } = {
  register: members({ ...credentials, invite: optional(text(1_000)) }),
  login: members({ ...credentials, secondFactor: optional(text(100)) }),
  unlock: members({ password: PASSWORD }),
  logout: NOTHING,
  forget: NOTHING,
  connect: NOTHING,
};
