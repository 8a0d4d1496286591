"""Errors of encrypted messages, each thing that can go wrong under its own name.

The server is assumed hostile, so most of these name something that it (or a peer) did. `asks_resend` says
whether it makes sense to ask the sender for the message again over a new session. The text is one line, fit
to be shown to a user, and holds no secret.
"""


class EncryptionError(Exception):
    """All errors of this package."""

    asks_resend = False


class Malformed(EncryptionError):
    """Bytes that are no envelope, content, payload or key of ours."""


class UnsupportedVersion(Malformed):
    """A format made by a newer client."""


class BadState(EncryptionError):
    """Stored state that does not decode: the store is damaged or from a newer version."""


class PayloadTooLarge(EncryptionError):
    """A payload that does not fit into one message."""


class Undecryptable(EncryptionError):
    """A message that this device can't decrypt, but another copy of it perhaps can."""

    asks_resend = True


class NoSession(Undecryptable):
    """There is no session of this id with the device."""


class UnknownPrekey(Undecryptable):
    """A first message for a prekey that was used before, or is gone."""


class UnknownSenderKey(Undecryptable):
    """Group content under a sender key that this device was not given."""


class TooFarAhead(Undecryptable):
    """More messages were skipped than keys are worked out for."""


class AuthenticationFailed(Undecryptable):
    """The ciphertext was changed, or is of another key."""


class Replayed(EncryptionError):
    """Something that was taken in before."""


class ReplayedMessage(Replayed):
    """A message whose key was used before."""


class ReplayedFirstMessage(Replayed):
    """A first message without a one-time prekey whose session began before, and is gone.

    Not always a replay: before it is answered, a sender puts the handshake before each message. So a message
    that this device has not got may be asked for.
    """

    asks_resend = True


class ReplayMemoryFull(EncryptionError):
    """So many first messages without one-time prekeys came that no more can be told from replays.

    They are refused until the signed prekey that they are for has been rotated out.
    """


class Refiled(EncryptionError):
    """The server presents a message as something else than its sender made it."""


class ConversationMismatch(Refiled):
    """A message of another conversation."""


class SenderMismatch(Refiled):
    """A message of another user or device."""


class ClientIdMismatch(Refiled):
    """A message under another client_id than its sender's."""


class KindMismatch(Refiled):
    """A message under another kind than its sender's."""


class ReflectedMessage(EncryptionError):
    """A message of this device, presented to it as one to be decrypted."""


class Untrusted(EncryptionError):
    """A device or key that nothing vouches for."""


class UnlistedDevice(Untrusted):
    """A device that its user's signed device list does not name, or names no more."""


class NotApprovedYet(UnlistedDevice):
    """A message of a device of one's own that came before this one was approved, and could judge it."""

    asks_resend = True


class BadDeviceList(Untrusted):
    """A device list that its account key has not signed, or that is none."""


class OldDeviceList(Untrusted):
    """A device list older than the one that was seen before, or than its user speaks of."""


class ContactChanged(Untrusted):
    """The server gives a known name to another user, or a known user another name."""


class NotInAudience(Untrusted):
    """A user or device that is not of those whom a conversation is with."""


class NotTheAuthor(Untrusted):
    """Somebody says something about a message or a conversation that only others may say."""


class IdentityKeyChanged(Untrusted):
    """A device with another identity key than before, which no device ever has."""


class AccountKeyChanged(Untrusted):
    """A user with another account key than before, or with none where there was one."""

    def __init__(self, user_id: str, old: bytes | None, new: bytes | None, was_verified: bool) -> None:
        super().__init__(f"The account key of user {user_id} has changed.")
        self.user_id = user_id
        self.old = old
        self.new = new
        self.was_verified = was_verified


class BadPrekeySignature(Untrusted):
    """A prekey that its device's identity key has not signed."""


class KemDowngrade(Untrusted):
    """A bundle or a handshake without ML-KEM, which every device has."""


class UnusableKey(Untrusted):
    """A public key that is no point, or one of small order."""


class SenderKeyRefused(EncryptionError):
    """A sender key that is not taken: from no member, or against one that stands."""


class BadSenderSignature(SenderKeyRefused):
    """Group content that the chain's key has not signed."""

    asks_resend = True


class NotResent(EncryptionError):
    """A message is not sent again to a device, or was not asked for."""


class FileError(EncryptionError):
    """A blob that is not the file its reference speaks of."""


class FileTampered(FileError):
    """A chunk was changed, moved or replaced."""

    def __init__(self, chunk: int) -> None:
        super().__init__(f"The file was changed: chunk {chunk} is not the sender's.")
        self.chunk = chunk


class FileTruncated(FileError):
    """The blob ends before the file does."""


class FileMismatch(FileError):
    """The blob's size or hash is not the reference's."""


class CodeError(EncryptionError):
    """A device code that is mistyped, or that fits none of the devices that wait."""


class GrantRefused(EncryptionError):
    """An account key that does not come from whoever was shown this device's code."""


class RosterRefused(EncryptionError):
    """A roster or a change of one that does not count: by whom, or on what it rests."""


class CodeExpired(CodeError):
    """A device code that was shown over ten minutes ago."""


class BadContactCode(EncryptionError):
    """A contact link or code that is mistyped, or of another server."""


class KdfError(EncryptionError):
    """A way to derive the password that is not taken."""


class BareKdf(KdfError):
    """None: the password itself is asked for."""


class UnknownKdf(KdfError):
    """Another algorithm."""


class WeakKdf(KdfError):
    """Too little work, or less than before."""


class ExcessiveKdf(KdfError):
    """Parameters that are out of all bounds."""
