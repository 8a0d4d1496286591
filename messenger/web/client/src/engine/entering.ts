/** How a session is got: by a password that is derived here, and by a second factor where one is asked for. */

import type { Kdf } from "../e2e/password.ts";
import type { Http } from "../net/http.ts";
import { type LoggedIn, Open } from "../net/open.ts";
import type { Lock } from "../store/unlock.ts";
import type { Session } from "../wire/auth.ts";
import { SecondFactorRequired } from "./errors.ts";
import { type Derive, askedKdf } from "./passwords.ts";

/** Who wants in, and by what. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** The code of the second factor, asked for where it is wanted. */
  readonly secondFactor?: () => Promise<string>;
  /** Send the password itself, where the account is older than derived passwords. */
  readonly allowBarePassword?: boolean;
}

/** What is sent as the password, and the lock that the same password makes; null where it is sent bare. */
export interface Stated {
  readonly login: string;
  readonly lock: Lock | null;
}

/** What is sent as the password of this name, which was derived as `known` last. KdfRefused. */
export async function stated(
  http: Http,
  { username, password, allowBarePassword }: Credentials,
  known: Kdf | null,
  derive: Derive,
): Promise<Stated> {
  const kdf = await askedKdf(http, username, known, allowBarePassword === true);
  if (kdf === null) return { login: password, lock: null };
  const { login, wrap } = derive(password, kdf);
  return { login, lock: { kdf, wrap } };
}

/** A session: a new device's, or with `deviceId` that device's. Refused, SecondFactorRequired. */
export async function enter(
  http: Http,
  said: Credentials,
  password: string,
  device: { readonly deviceId?: string | undefined; readonly deviceName?: string | undefined },
): Promise<Session> {
  const found: LoggedIn = await new Open(http).login({
    username: said.username,
    password,
    ...(device.deviceId === undefined ? {} : { device_id: device.deviceId }),
    ...(device.deviceName === undefined ? {} : { device_name: device.deviceName }),
  });
  if ("session" in found) return found.session;
  if (said.secondFactor === undefined) throw new SecondFactorRequired();
  return new Open(http).secondFactor(found.challenge, (await said.secondFactor()).trim());
}
