/** Why a call has failed, by a word that the languages know. */

import type { Words } from "../words/index.ts";

export type Reason = keyof Words["errors"];

/** What errors are called on their way here (engine/errors.ts, store/errors.ts, wire/errors.ts), and what that is. */
const CODES: Readonly<Record<string, Reason>> = {
  unauthorized: "wrong_login",
  second_factor_required: "code_wanted",
  username_taken: "name_taken",
  unprocessable: "refused",
  bad_request: "refused",
  forbidden: "forbidden",
  weak_password: "weak_password",
  wrong_password: "wrong_password",
  rate_limited: "busy",
  profile_mismatch: "other_account",
  device_limit: "device_limit",
  bare_kdf: "kdf_refused",
  unknown_kdf: "kdf_refused",
  weak_kdf: "kdf_refused",
  excessive_kdf: "kdf_refused",
  unknown_user: "no_user",
  blocked: "blocked",
  no_devices: "no_devices",
  no_identity: "no_devices",
  not_approved: "not_approved",
  contact_refused: "contact_refused",
  conversation_ended: "conversation_ended",
  message_too_large: "too_long",
  too_large: "too_long",
  queue_full: "queue_full",
  bad_link: "bad_link",
  wrong_safety_number: "wrong_number",
  membership_refused: "not_in_group",
  wrong_code: "wrong_code",
  not_confirmed: "wrong_code",
  not_yours: "not_yours",
  file_too_large: "file_too_large",
  file_unreadable: "file_unreadable",
  file_damaged: "file_damaged",
  too_many_transfers: "too_many_files",
  cancelled: "cancelled",
  store_full: "store_full",
  session_ended: "session_ended",
  leader_gone: "again",
  profile_locked: "again",
  not_open: "again",
  internal: "away",
  bad_gateway: "away",
  unavailable: "away",
  gateway_timeout: "away",
};
/** Those that have no code. */
const NAMES: Readonly<Record<string, Reason>> = {
  Unreachable: "away",
  BadAnswer: "away",
  NotConnected: "away",
  Unanswered: "away",
  Busy: "busy",
  SessionEnded: "session_ended",
  IdentityRefused: "identity_refused",
};

const own = (of: Readonly<Record<string, Reason>>, name: unknown): Reason | undefined =>
  typeof name === "string" && Object.hasOwn(of, name) ? of[name] : undefined;

/** The word for an error of a call; `unknown` where there is none. */
export function reasonOf(error: unknown): Reason {
  const { name, code } = (typeof error === "object" && error !== null ? error : {}) as Record<
    string,
    unknown
  >;
  return own(CODES, code) ?? own(NAMES, name) ?? "unknown";
}
