"""How what the encryption core refuses is named to an application."""

from messenger.client.e2e import errors

_REASONS: dict[type[errors.EncryptionError], str] = {
    errors.AuthenticationFailed: "tampered",
    errors.Malformed: "malformed",
    errors.Replayed: "replayed",
    errors.Refiled: "refiled",
    errors.ReflectedMessage: "reflected",
    errors.BadSenderSignature: "bad_sender_signature",
    errors.UncertifiedDevice: "uncertified_device",
    errors.BadCertificate: "bad_certificate",
    errors.IdentityKeyChanged: "identity_key_changed",
    errors.AccountKeyChanged: "identity_refused",
    errors.BadPrekeySignature: "bad_prekey_signature",
    errors.KemDowngrade: "kem_downgrade",
    errors.UnusableKey: "unusable_key",
    errors.SenderKeyRefused: "sender_key_refused",
    errors.ReplayMemoryFull: "replay_memory_full",
    errors.GrantRefused: "grant_refused",
    errors.Undecryptable: "undecryptable",
    errors.FileTampered: "tampered",
    errors.FileTruncated: "truncated",
    errors.FileMismatch: "mismatch",
}


def reason_of(error: errors.EncryptionError) -> str:
    """The stable word for an error: its own, or that of the nearest kind above it."""
    return next((_REASONS[kind] for kind in type(error).__mro__ if kind in _REASONS), "refused")
