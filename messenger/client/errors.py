"""Errors for applications, each thing that can go wrong under its own name.

All are `ClientError`; the text is one line for the user, `code` a stable word for programs. What a hostile
server does to messages is no error of a call: it comes as an event (events.py).
"""


class ClientError(Exception):
    """All errors of this package. `code` is a stable word."""

    code = "error"

    def __init__(self, text: str = "", *, code: str | None = None) -> None:
        super().__init__(text or (self.__doc__ or "").partition("\n")[0])
        if code is not None:
            self.code = code


# the server


class ServerUnreachable(ClientError):
    """The server can't be reached."""

    code = "unreachable"


class ServerRefused(ClientError):
    """The server said no. `status` is HTTP's, `code` the contract's word, `members` what came along."""

    def __init__(self, status: int, code: str, detail: str, members: dict[str, object] | None = None) -> None:
        super().__init__(detail or f"The server answered {status}.", code=code)
        self.status = status
        self.detail = detail
        self.members = members or {}


class RateLimited(ServerRefused):
    """Too many requests, or a server that can't serve now. `retry_after` is in seconds."""

    def __init__(self, status: int, code: str, detail: str, retry_after: float) -> None:
        super().__init__(status, code, detail)
        self.retry_after = retry_after


class NotAllowed(ServerRefused):
    """The user's role or a wrong password does not allow this."""


class Blocked(NotAllowed):
    """A block stands between the two users."""


class NotFound(ServerRefused):
    """There is no such thing, or this user may not see it."""


class UsernameTaken(ServerRefused):
    """Somebody has this username."""


class BadCredentials(ServerRefused):
    """The username or the password is wrong, or the code of the second factor."""


class WeakPassword(ClientError):
    """The password is too short, too long, or among the first that anyone would try."""

    code = "weak_password"


class KdfRefused(ClientError):
    """The server wants the password in a way that would give it away; nothing was sent.

    `code` is `bare_kdf`, `weak_kdf`, `excessive_kdf` or `unknown_kdf`.
    """

    code = "kdf_refused"


class SecondFactorRequired(ClientError):
    """The account wants a code of its second factor."""

    code = "second_factor_required"


class DeviceLimit(ServerRefused):
    """The user has as many devices as are allowed."""


class SessionExpired(ClientError):
    """The session has ended: log in again."""

    code = "session_ended"


# the profile


class NoProfile(ClientError):
    """There is no profile here: register or log in first."""

    code = "no_profile"


class ProfileExists(ClientError):
    """There is a profile here already."""

    code = "profile_exists"


class ProfileLocked(ClientError):
    """Another process has this profile open."""

    code = "profile_locked"


class ProfileMismatch(ClientError):
    """The profile is another account's, or of another server."""

    code = "profile_mismatch"


class WrongPassphrase(ClientError):
    """The passphrase does not open the profile."""

    code = "wrong_passphrase"


class KeyringUnavailable(ClientError):
    """The system's keyring can't be used, or has no key for this profile."""

    code = "keyring_unavailable"


class StoreCorrupt(ClientError):
    """The profile's store is damaged."""

    code = "store_corrupt"


class StoreTooNew(ClientError):
    """The profile was written by a newer version of this program."""

    code = "store_too_new"


# what was asked for


class UnknownUser(ClientError):
    """There is no user of this name."""

    code = "unknown_user"


class UnknownConversation(ClientError):
    """There is no such conversation."""

    code = "unknown_conversation"


class AmbiguousName(ClientError):
    """Several things have this name: use the id."""

    code = "ambiguous_name"


class UnknownFile(ClientError):
    """No message of this profile holds such a file."""

    code = "unknown_file"


class ConversationHasEnded(ClientError):
    """The conversation has ended; its history stays."""

    code = "conversation_ended"


class NoDevices(ClientError):
    """The user has no device that can be encrypted to."""

    code = "no_devices"


class NotApproved(ClientError):
    """This device has not been approved by an older one yet."""

    code = "not_approved"


class WrongCode(ClientError):
    """The device code is mistyped, or fits none of the devices that wait."""

    code = "wrong_code"


class NoIdentity(ClientError):
    """The user has not published an account key yet."""

    code = "no_identity"


class IdentityRefused(ClientError):
    """The user's identity has changed, or a device of theirs is not vouched for; nothing is sent."""

    code = "identity_refused"


class ContactConflict(ClientError):
    """The server names another user than the one that is pinned under this name."""

    code = "contact_refused"


class BadLink(ClientError):
    """The contact link is damaged, or of another server."""

    code = "bad_link"


class WrongSafetyNumber(ClientError):
    """The number compared is not the one that this device sees; nothing was marked."""

    code = "wrong_safety_number"


class MembershipRefused(ClientError):
    """This user may not change the group in this way, or nobody vouches for who is to be added."""

    code = "membership_refused"


class NotYours(ClientError):
    """Only its author may say this of a message."""

    code = "not_yours"


class MessageTooLarge(ClientError):
    """The text does not fit into one message."""

    code = "message_too_large"


class QueueFull(ClientError):
    """Too many messages wait to be sent."""

    code = "queue_full"


class SendingFailed(ClientError):
    """The message can't be sent; `code` says why."""

    code = "sending_failed"


class FileDamaged(ClientError):
    """The file that the server gave out is not the one that was sent."""

    code = "file_damaged"


class FileTooLarge(ClientError):
    """The file is larger than the server allows."""

    code = "file_too_large"
