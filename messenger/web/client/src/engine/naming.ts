/** How what the encryption core refuses is named to a user. */

import * as errors from "../e2e/errors.ts";

const REASONS: readonly (readonly [
  kind: abstract new (...given: never[]) => errors.EncryptionError,
  word: string,
])[] = [
  [errors.AuthenticationFailed, "tampered"],
  [errors.Malformed, "malformed"],
  [errors.Replayed, "replayed"],
  [errors.Refiled, "refiled"],
  [errors.ReflectedMessage, "reflected"],
  [errors.BadSenderSignature, "bad_sender_signature"],
  [errors.UnlistedDevice, "unlisted_device"],
  [errors.BadDeviceList, "bad_device_list"],
  [errors.OldDeviceList, "old_device_list"],
  [errors.ContactChanged, "contact_changed"],
  [errors.NotInAudience, "not_in_audience"],
  [errors.NotTheAuthor, "not_the_author"],
  [errors.IdentityKeyChanged, "identity_key_changed"],
  [errors.AccountKeyChanged, "account_key_changed"],
  [errors.BadPrekeySignature, "bad_prekey_signature"],
  [errors.KemDowngrade, "kem_downgrade"],
  [errors.UnusableKey, "unusable_key"],
  [errors.SenderKeyRefused, "sender_key_refused"],
  [errors.ReplayMemoryFull, "replay_memory_full"],
  [errors.GrantRefused, "grant_refused"],
  [errors.CodeExpired, "code_expired"],
  [errors.RosterRefused, "roster_refused"],
  [errors.Undecryptable, "undecryptable"],
  [errors.FileTampered, "tampered"],
  [errors.FileTruncated, "truncated"],
  [errors.FileMismatch, "mismatch"],
];

/** The stable word for an error: its own, or that of the first kind above it that has one. */
export function reasonOf(error: errors.EncryptionError): string {
  // Kinds stand before the kinds that they are of.
  return REASONS.find(([kind]) => error instanceof kind)?.[1] ?? "refused";
}
