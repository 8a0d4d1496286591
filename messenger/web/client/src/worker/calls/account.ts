/** The account in this browser, and its connection. */

import type { ConnectionState } from "../../engine/events.ts";

/** How it is: `none` without an account in this browser, `locked` until the password is given, `failed` for good. */
export interface Status {
  readonly profile: "opening" | "none" | "locked" | "open" | "failed";
  readonly username: string | null;
  readonly connection: ConnectionState;
  /** A stable word for what is wrong: an error's code, why a session has ended, `no_storage`, `not_loaded`; or empty. */
  readonly code: string;
  /** When it is tried again, in milliseconds since 1970. */
  readonly retryAt: number | null;
}

/** A name and a password, with what else the server may want. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
  readonly deviceName?: string;
  /** Whether the password opens the store, too. */
  readonly lock?: boolean;
}

export interface AccountCalls {
  register: { asked: Credentials & { readonly invite?: string }; answer: Status };
  login: { asked: Credentials & { readonly secondFactor?: string }; answer: Status };
  unlock: { asked: { readonly password: string }; answer: Status };
  logout: { asked: null; answer: Status };
  /** Take away what this browser has of the account. */
  forget: { asked: null; answer: Status };
  /** Connect now: the user will not wait, the page was woken up, or this device shall take over again. */
  connect: { asked: null; answer: null };
}
