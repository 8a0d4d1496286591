/** Accounts, devices, sessions and tokens: the bodies under /auth and /users. */

import { COUNT, NAME, TIME, WORD, bytes, items } from "./basics.ts";
import {
  ID,
  type Of,
  TRUTH,
  defaulted,
  list,
  members,
  oneOf,
  optional,
  orNull,
  text,
  whole,
} from "./codec.ts";

const SHORT_TEXT = text(100);
const SECRET = text(1_000_000);

/** A user as others see it. */
export const USER = members({ user_id: ID, username: NAME, created_at: TIME });
export const USERS = items(USER, 200);

/** How a client derives `password`: Argon2id (RFC 9106). */
export const KDF = members({
  algorithm: oneOf("argon2id"),
  memory_kib: whole(8, 1_048_576),
  passes: whole(1, 64),
  lanes: whole(1, 16),
  salt: bytes(16, 64),
});

/** What the server says of it, without these bounds: what is out of them is refused by its own name (e2e/password). */
export const KDF_ANSWER = members({
  kdf: orNull(
    members({ algorithm: text(64), memory_kib: COUNT, passes: COUNT, lanes: COUNT, salt: bytes(0, 1_024) }),
  ),
});

/** A new account and its first device; `kdf` where `password` is derived. */
export const REGISTER = members({
  username: text(),
  password: SECRET,
  device_name: optional(SHORT_TEXT),
  invite: optional(SECRET),
  kdf: optional(KDF),
});

/** A new device, or with `device_id` an old one that goes on. */
export const LOGIN = members({
  username: text(),
  password: SECRET,
  device_id: optional(ID),
  device_name: optional(SHORT_TEXT),
});

/** The code that a challenged login waits for: of the authenticator app, or a recovery code. */
export const SECOND_FACTOR = members({ challenge: SECRET, code: SECRET });

/** A refresh token, to be spent. */
export const REFRESH = members({ refresh_token: SECRET });

/** A new password; all other sessions end. `kdf` where `new_password` is derived. */
export const PASSWORD_CHANGE = members({
  current_password: SECRET,
  new_password: SECRET,
  kdf: optional(KDF),
});

/** The password once more, before the account goes for good. */
export const ACCOUNT_DELETION = members({ password: SECRET });
/** The password once more, before a second factor is set up or goes. */
export const PASSWORD_ONCE_MORE = members({ password: SECRET });

/** A secret for an authenticator app, in base32 and as an `otpauth` URI; shown once. */
export const TOTP_SECRET = members({ secret: text(1_024), uri: text(4_096) });
/** A code of the authenticator app. */
export const TOTP_CODE = members({ code: SECRET });
/** Codes for when the authenticator is lost, each good once; shown once. */
export const RECOVERY_CODES = members({ recovery_codes: list(text(256), 100) });

/** What a login leaves a client with. `expires_in` is in seconds. */
export const SESSION = members({
  user: USER,
  device_id: ID,
  access_token: WORD,
  expires_in: COUNT,
  refresh_token: WORD,
  token_type: defaulted(text(64), "Bearer"),
});

/** One login of a user, as that user sees it. */
export const DEVICE = members({
  device_id: ID,
  device_name: orNull(NAME),
  created_at: TIME,
  last_seen_at: TIME,
  current: TRUTH,
});
export const DEVICES = items(DEVICE);

/** Opens one WebSocket, once, within `expires_in` seconds. */
export const TICKET = members({ ticket: WORD, expires_in: COUNT });

/** Many users at once. */
export const USER_LOOKUP = members({ user_ids: list(ID, 200, 1) });

export type User = Readonly<Of<typeof USER>>;
export type Kdf = Readonly<Of<typeof KDF>>;
export type Register = Readonly<Of<typeof REGISTER>>;
export type Login = Readonly<Of<typeof LOGIN>>;
export type Session = Readonly<Of<typeof SESSION>>;
export type Device = Readonly<Of<typeof DEVICE>>;
export type Ticket = Readonly<Of<typeof TICKET>>;
export type TotpSecret = Readonly<Of<typeof TOTP_SECRET>>;
